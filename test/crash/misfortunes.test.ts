/** Deaths in trainings in which something else goes wrong too; with SLOW=1 in PostgreSQL as well. */
import { misfortunesWith } from './misfortunes.ts';
import { postgres, postgresTrouble, sqlite } from './stores.ts';

misfortunesWith(sqlite).run();

if (process.env.SLOW !== undefined) {
  if (postgresTrouble === undefined) misfortunesWith(postgres).run();
  else console.log(`skipped: deaths in misfortunes (PostgreSQL): ${postgresTrouble}`);
}
