import { expect, it } from 'vitest'
import { byteSize, onOrOff, seconds, showBytes, type ValueSchema, wholeNumber } from '../../../src/server/config/value-schemas.ts'

it.each([
  ['0', 0],
  ['1024', 1024],
  ['2GiB', 2 ** 31],
  ['1.5g', 1.5 * 2 ** 30],
  ['512 MiB', 2 ** 29],
  ['500MB', 500e6],
  ['3t', 3 * 2 ** 40]
])('reads the size %s', (text, bytes) => {
  expect(byteSize(0).parse(text)).toBe(bytes)
})

it.each(['', 'GiB', '-1', '1e9', '2 GB more', '5 parsecs', '9999999999999999999', 'constructor'])('refuses the size %j', text => {
  expect(byteSize(0).safeParse(text).success).toBe(false)
})

it.each(['', ' ', '0x10', '1e2', '3.5', 'NaN', 'Infinity', '--5', '6', '-1'])('refuses the whole number %j', text => {
  expect(wholeNumber(0, 5).safeParse(text).success).toBe(false)
})

it('has one message for every violation of a bound', () => {
  expect(['x', '9', '-9', '0.1'].map(text => firstMessage(wholeNumber(0, 5), text))).toEqual(
    Array.from({ length: 4 }, () => 'a whole number from 0 to 5')
  )
  expect(firstMessage(seconds(0.1, 5), '0.05')).toBe('a number of seconds from 0.1 to 5')
})

it('accepts the words for on and off', () => {
  expect(['1', 'true', 'TRUE', 'yes', 'on'].map(word => onOrOff.parse(word))).not.toContain(false)
  expect(['0', 'false', 'No', 'off'].map(word => onOrOff.parse(word))).not.toContain(true)
  expect(onOrOff.safeParse('maybe').success).toBe(false)
})

it('formats sizes in binary units', () => {
  expect([2 ** 30, 1.5 * 2 ** 30, 2 ** 20, 1000].map(showBytes)).toEqual(['1 GiB', '1.5 GiB', '1 MiB', '1000 bytes'])
})

function firstMessage(schema: ValueSchema<unknown>, text: string): string | undefined {
  return schema.safeParse(text).error?.issues[0]?.message
}
