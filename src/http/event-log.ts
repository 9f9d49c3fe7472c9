/** What is told to the log of whoever runs a party or uses one as a library; pino's loggers are such logs. */
export interface EventLog {
  info(fields: object, message: string): void;
  warn(fields: object, message: string): void;
  error(fields: object, message: string): void;
}

export const silentLog: EventLog = { info: () => undefined, warn: () => undefined, error: () => undefined };
