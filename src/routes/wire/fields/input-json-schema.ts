import { z } from 'zod'

/** JSON Schema of the input of a zod schema: before transforms, and with defaults as clients would write them. */
export function inputJsonSchema(schema: z.ZodType): Record<string, unknown> {
  const { $schema: _, ...written } = z.toJSONSchema(schema, { io: 'input', unrepresentable: 'any', override: keepDefault })
  return written
}

/** zod drops the default of a field with a transform, because a default belongs to the output. */
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
