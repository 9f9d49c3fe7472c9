import fc from 'fast-check';

/** Texts that a database, or JSON, may stumble over. */
export const oddText: fc.Arbitrary<string> = fc.oneof(
  fc.constantFrom('', '\u0000', 'a\u0000b', '\ud800', '"\\', "'); drop table jobs; --", 'naïve 💧', '\u2028'),
  fc.string({ unit: 'binary', maxLength: 20 }),
);
