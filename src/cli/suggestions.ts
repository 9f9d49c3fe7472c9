/** What somebody may have meant by a value that is none of the choices; commands and options the parser looks after by itself. */
import { nearestName } from '../config/nearest-name.ts';

/** The parser's complaint about a choice, with the nearest choice at its end where one is near. */
export function withNearestChoice(complaint: string): string {
  const [, given, list] =
    /'([^']*)'(?: from env '[^']*')? is invalid(?: for argument '[^']*')?\. Allowed choices are (.+)\.$/.exec(
      complaint,
    ) ?? [];
  if (given === undefined || list === undefined) return complaint;
  const nearest = nearestName(given, list.split(', '));
  return nearest === undefined ? complaint : `${complaint} (Did you mean ${nearest}?)`;
}
