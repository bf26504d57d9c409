import { z } from 'zod'
import { parseRedisUrl } from '../../queue/redis/connection/redis-url.ts'

/** Parses the text of an option. The message of every issue is the bound, written to follow "must be". */
export type ValueSchema<Value> = z.ZodType<Value, string>

export const anyText: ValueSchema<string> = z.string().trim().min(1, 'non-empty text')

export function wholeNumber(min: number, max: number): ValueSchema<number> {
  return decimal(/^[+-]?\d{1,15}$/, `a whole number from ${min} to ${max}`, min, max)
}

export function number(min: number, max: number): ValueSchema<number> {
  return decimal(/^[+-]?\d{1,15}(\.\d{1,15})?$/, `a number from ${min} to ${max}`, min, max)
}

export function seconds(min: number, max: number): ValueSchema<number> {
  return decimal(/^[+-]?\d{1,15}(\.\d{1,6})?$/, `a number of seconds from ${min} to ${max}`, min, max)
}

export function oneOf<const Choice extends string>(choices: readonly Choice[]): ValueSchema<Choice> {
  return z.string().pipe(z.enum(choices, `one of ${choices.join(', ')}`))
}

/** A flag on the command line is `true`; an environment variable contains one of these words. */
export const onOrOff: ValueSchema<boolean> = z
  .string()
  .toLowerCase()
  .pipe(z.enum(['1', 'true', 'yes', 'on', '0', 'false', 'no', 'off'], '1, true, yes, on, or 0, false, no, off'))
  .transform(word => ['1', 'true', 'yes', 'on'].includes(word))

/** Sent as `Authorization: Bearer <key>`, so it must be a valid header value. */
export const headerToken: ValueSchema<string> = z.string().regex(/^[\x21-\x7e]{1,512}$/, '1 to 512 visible ASCII characters without spaces')

export const redisUrl: ValueSchema<string> = z
  .string()
  .trim()
  .refine(
    text => parseRedisUrl(text) !== null,
    'an address such as redis://host:6379, rediss://…, redis+sentinel://host,host/master or redis+cluster://host,host'
  )

/** No braces: in a Redis cluster they mark the hash tag that selects the slot of a key. */
export const redisPrefix: ValueSchema<string> = z.string().regex(/^[\w.-]{1,64}$/, '1 to 64 letters, digits, dots, dashes and underscores')

const UNITS: Readonly<Record<string, number>> = {
  '': 1,
  b: 1,
  k: 2 ** 10,
  m: 2 ** 20,
  g: 2 ** 30,
  t: 2 ** 40,
  kib: 2 ** 10,
  mib: 2 ** 20,
  gib: 2 ** 30,
  tib: 2 ** 40,
  kb: 1e3,
  mb: 1e6,
  gb: 1e9,
  tb: 1e12
}

/** `2GiB`, `1.5g`, `500MB` (decimal), or plain bytes. */
export function byteSize(min: number): ValueSchema<number> {
  const bound = `a size such as 2GiB, 512MiB or 1073741824 (bytes), at least ${showBytes(min)}`
  return z.string().transform(toBytes).pipe(z.number(bound).min(min, bound).max(Number.MAX_SAFE_INTEGER, bound))
}

function toBytes(text: string): number {
  const [, amount = '', unit = ''] = /^(\d+(?:\.\d+)?)\s*([a-z]*)$/i.exec(text.trim()) ?? []
  return amount === '' ? Number.NaN : Math.floor(Number(amount) * (UNITS[unit.toLowerCase()] ?? Number.NaN))
}

/** `2 GiB`, `1.5 GiB`, `640 KiB`. */
export function showBytes(bytes: number): string {
  const unit = (['GiB', 'MiB', 'KiB'] as const).find(name => bytes >= bytesOf(name))
  return unit === undefined ? `${bytes} bytes` : `${Number((bytes / bytesOf(unit)).toFixed(1))} ${unit}`
}

function bytesOf(unit: 'GiB' | 'MiB' | 'KiB'): number {
  return { GiB: 2 ** 30, MiB: 2 ** 20, KiB: 2 ** 10 }[unit]
}

function decimal(form: RegExp, bound: string, min: number, max: number): ValueSchema<number> {
  return z.string().trim().regex(form, bound).transform(Number).pipe(z.number(bound).min(min, bound).max(max, bound))
}
