/**
 * How a test kills a party at a named place: SEALSUM_CHECKPOINT=NAME or NAME:COUNT makes the process kill itself, as kill -9
 * does, when it reaches that place for the count-th time. Nothing is flushed, closed or answered.
 */
import { SealsumError } from '../errors.ts';
import { type Checkpoint, noCheckpoint } from '../protocol/checkpoints.ts';

/**
 * The checkpoint of a process.
 *
 * @param setting what the environment says; undefined: nobody is killed
 * @param names all places that this process has
 * @param kill ends the process at once
 * @throws SealsumError config_invalid when the place is none of them, or the count none
 */
export function killAt(
  setting: string | undefined,
  names: readonly string[],
  kill: () => void = () => process.kill(process.pid, 'SIGKILL'),
): Checkpoint {
  if (setting === undefined || setting === '') return noCheckpoint;
  const [, name = '', count = '1'] = /^([^:]+)(?::([1-9][0-9]{0,8}))?$/.exec(setting) ?? [];
  if (!names.includes(name))
    throw new SealsumError(
      'config_invalid',
      `SEALSUM_CHECKPOINT: expected NAME or NAME:COUNT with a name of ${names.join(', ')}`,
      { field: 'SEALSUM_CHECKPOINT' },
    );
  let left = Number(count);
  return (place) => {
    if (place !== name) return;
    left -= 1;
    if (left === 0) kill();
  };
}
