import { z } from 'zod'

/**
 * JSON Schema of what a client may write: transforms are left out, and defaults are told as clients would write them.
 */
export function inputJsonSchema(schema: z.ZodType): Record<string, unknown> {
  const { $schema: _, ...written } = z.toJSONSchema(schema, { io: 'input', unrepresentable: 'any', override: keepDefault })
  return written
}

/** zod drops the default of a field that it transforms, since it is one of the output. */
function keepDefault({
  zodSchema,
  jsonSchema
}: {
  readonly zodSchema: z.core.$ZodType
  readonly jsonSchema: z.core.JSONSchema.BaseSchema
}): void {
  const registered = z.globalRegistry.get(zodSchema as z.ZodType)
  if (registered !== undefined && 'default' in registered) jsonSchema['default'] = registered['default']
}
