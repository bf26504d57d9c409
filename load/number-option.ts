/** @throws {RangeError} not a number from `least` to `most`: the message names the option, the bounds and the value */
export function number(option: string, text: string, least: number, most: number): number {
  const value = Number(text)
  if (text.trim() === '' || !(value >= least && value <= most)) throw new RangeError(`${option} must be ${least} to ${most}, got '${text}'`)
  return value
}

/** @throws {RangeError} as `number`, or not a whole number */
export function wholeNumber(option: string, text: string, least: number, most: number): number {
  const value = number(option, text, least, most)
  if (!Number.isInteger(value)) throw new RangeError(`${option} must be a whole number, got '${text}'`)
  return value
}
