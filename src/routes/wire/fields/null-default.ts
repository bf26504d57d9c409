import type { z } from 'zod'

/** A field whose default applies if it is missing or `null`: OpenAI's schema marks its options `nullable`. */
export function nullDefault<Schema extends z.ZodType, Default>(schema: Schema, fallback: Default) {
  return schema
    .nullish()
    .transform((value): NonNullable<z.output<Schema>> | Default => value ?? fallback)
    .meta({ default: fallback })
}
