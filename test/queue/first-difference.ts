/** The place where two values differ as JSON, for a short failure message; null where they are equal. */
export function firstDifference(seen: unknown, expected: unknown): string | null {
  const [one, other] = [JSON.stringify(seen), JSON.stringify(expected)]
  if (one === other) return null
  let at = 0
  while (one[at] === other[at]) at++
  const around = (text: string): string => text.slice(Math.max(0, at - 60), at + 60)
  return `at ${at}: …${around(one)}… instead of …${around(other)}…`
}
