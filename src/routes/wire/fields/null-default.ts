import type { z } from 'zod'

/** A field that may be absent or `null`, both meaning its default: OpenAI's schema marks its options `nullable`. */
export function nullDefault<Schema extends z.ZodType, Default>(schema: Schema, fallback: Default) {
  return schema
    .nullish()
    .transform((value): NonNullable<z.output<Schema>> | Default => value ?? fallback)
    .meta({ default: fallback })
}
