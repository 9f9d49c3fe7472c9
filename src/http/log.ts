/** JSON logs on standard error, for machines; values, keys and records are never given to it, and what may slip is redacted. */
import { type DestinationStream, destination, type Logger, pino } from 'pino';

export type { Logger } from 'pino';

/** The levels of a log, most to least. */
export const logLevels = ['trace', 'debug', 'info', 'warn', 'error', 'silent'] as const;
export type LogLevel = (typeof logLevels)[number];

/** Fields that are never to be read in a log, at the top of a line's object or up to two levels below. */
const secretFields = ['parameters', 'private_key', 'p', 'q'] as const;

/**
 * A log for one party.
 *
 * @param party names it in every line
 * @param lines where lines go; standard error unless told
 */
export function createLog(
  party: string,
  level: LogLevel,
  lines: DestinationStream = destination({ fd: 2, sync: true }),
): Logger {
  return pino(
    {
      base: { party },
      level,
      timestamp: () => `,"time":"${new Date().toISOString()}"`,
      formatters: { level: (label) => ({ level: label }) },
      redact: [...secretFields.flatMap((field) => [field, `*.${field}`, `*.*.${field}`]), 'headers.authorization'],
    },
    lines,
  );
}
