/** For the Content Security Policies that pages should have: zod then tries to make no code of text. To be loaded before any schema. */
import { config } from 'zod';

config({ jitless: true });
