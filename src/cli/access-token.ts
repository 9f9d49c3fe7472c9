/** How commands that ask a running party show that they are its own people. */
import { readPrivateFile } from '../config/files.ts';

/** The token of --token-file. @throws SealsumError config_invalid when others may read the file */
export async function readToken(file: string): Promise<string> {
  return (await readPrivateFile(file, '--token-file')).toString('utf8').trim();
}

/** Shows the token with every request. */
export function withToken(send: typeof fetch, token: string): typeof fetch {
  return (input, init = {}) => {
    const headers = new Headers(init.headers);
    headers.set('authorization', `Bearer ${token}`);
    return send(input, { ...init, headers: Object.fromEntries(headers) });
  };
}
