/** The level of intervals unless a model says otherwise. */
export const defaultLevel = 0.95;
