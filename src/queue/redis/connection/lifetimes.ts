/**
 * TTL of a request and its log that have not ended: renewed by whoever attends, claims or writes them, so this is how
 * long forgotten ones last.
 */
export const LIFE_MS = 3_600_000
