/** Whole numbers on the command line. */
import { InvalidArgumentError } from 'commander';

/** A parser of whole numbers in decimal digits. */
export function wholeNumber(least: number, most: number): (text: string) => number {
  return (text) => {
    const value = Number(text);
    if (!/^[0-9]+$/.test(text) || value < least || value > most)
      throw new InvalidArgumentError(`expected a whole number from ${least} to ${most}`);
    return value;
  };
}

/** A parser of one of some whole numbers, for which commander's own choices would leave a string. */
export function oneOf(choices: readonly number[]): (text: string) => number {
  return (text) => {
    const value = choices.find((choice) => String(choice) === text);
    if (value === undefined) throw new InvalidArgumentError(`expected one of ${choices.join(', ')}`);
    return value;
  };
}
