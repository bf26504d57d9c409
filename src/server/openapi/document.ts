import { z } from 'zod'
import type { ErrorCode } from '../../inference/contract/errors.ts'
import { PROBE_URLS } from '../../routes/health/route.ts'
import { ErrorSchema } from '../../routes/wire/errors/error-body.ts'
import { ERROR_TABLE } from '../../routes/wire/errors/error-table.ts'
import { inputJsonSchema } from '../../routes/wire/fields/input-json-schema.ts'
import type { Answer, Operation } from './operation.ts'

type Json = Readonly<Record<string, unknown>>

/** Errors that every operation can return. */
const ANY_ERRORS: readonly ErrorCode[] = ['invalid_request', 'invalid_api_key', 'forbidden', 'unavailable']
const BODY_ERRORS: readonly ErrorCode[] = ['body_too_large']

/** Builds the OpenAPI 3.1 document from the operations and the schemas that parse their bodies. */
export function openApiDocument(operations: readonly Operation[]): Json {
  const components = new Map<string, Json>()
  const paths: Record<string, Record<string, Json>> = {}
  for (const operation of operations) {
    const path = operation.url.replace(/:(\w+)/g, '{$1}').replace('*', '{model}')
    paths[path] = { ...paths[path], [operation.method.toLowerCase()]: toOperation(operation, path, components) }
  }
  return {
    openapi: '3.1.0',
    info: {
      title: 'everstream',
      version: '1',
      description: 'Text generation with the OpenAI API. Additional fields are named as in vLLM. Interrupted streams can be resumed.'
    },
    security: [{ key: [] }, {}],
    paths,
    components: {
      securitySchemes: { key: { type: 'http', scheme: 'bearer' } },
      schemas: Object.fromEntries(components)
    }
  }
}

function toOperation(operation: Operation, path: string, components: Map<string, Json>): Json {
  const { method, url, tag, summary, body, answers, errors = [] } = operation
  const codes = [...ANY_ERRORS, ...(body === undefined ? [] : BODY_ERRORS), ...errors]
  const responses: Record<string, Json> = errorResponses(codes, components)
  for (const [status, answer] of Object.entries(answers)) responses[status] = toResponse(answer, components)
  return {
    operationId: `${method.toLowerCase()}${path.replace(/\W+(\w)/g, (_, letter: string) => letter.toUpperCase()).replace(/\W/g, '')}`,
    tags: [tag],
    summary,
    ...(PROBE_URLS.has(url) && { security: [] }),
    parameters: toParameters(operation, path),
    ...(body !== undefined && {
      requestBody: { required: true, content: { 'application/json': { schema: toSchema(body, 'input', components) } } }
    }),
    responses
  }
}

function toParameters({ query, headers = {} }: Operation, path: string): readonly Json[] {
  const inPath = [...path.matchAll(/\{(\w+)\}/g)].map(([, name]) => ({ name, in: 'path', required: true, schema: { type: 'string' } }))
  const inQuery = Object.entries(query?.shape ?? {}).map(([name, schema]) => ({
    name,
    in: 'query',
    description: schema.description,
    schema: { type: 'string' }
  }))
  const inHeader = Object.entries(headers).map(([name, description]) => ({ name, in: 'header', description, schema: { type: 'string' } }))
  return [...inPath, ...inQuery, ...inHeader]
}

function toResponse({ description, json, events, otherType }: Answer, components: Map<string, Json>): Json {
  const content = {
    ...(json !== undefined && { 'application/json': { schema: toSchema(json, 'output', components) } }),
    ...(events !== undefined && { 'text/event-stream': { schema: toSchema(events, 'output', components) } }),
    ...(otherType !== undefined && { [otherType]: {} })
  }
  return { description, ...(Object.keys(content).length > 0 && { content }) }
}

function errorResponses(codes: readonly ErrorCode[], components: Map<string, Json>): Record<string, Json> {
  const schema = toSchema(ErrorSchema, 'output', components)
  const byStatus = Map.groupBy(new Set(codes), code => String(ERROR_TABLE[code].http))
  return Object.fromEntries(
    Array.from(byStatus, ([status, those]) => [status, { description: those.join(', '), content: { 'application/json': { schema } } }])
  )
}

/** Named schemas become components, at any depth. */
function toSchema(schema: z.ZodType, io: 'input' | 'output', components: Map<string, Json>): Json {
  const {
    $schema: _,
    $defs = {},
    id,
    ...own
  }: Record<string, unknown> = io === 'input' ? inputJsonSchema(schema) : z.toJSONSchema(schema, { io, unrepresentable: 'any' })
  for (const [name, definition] of Object.entries($defs as Record<string, Json>)) components.set(name, withoutId(definition))
  if (typeof id !== 'string') return toComponentRefs(own)
  components.set(id, toComponentRefs(own))
  return { $ref: `#/components/schemas/${id}` }
}

function withoutId({ id: _, ...definition }: Json): Json {
  return toComponentRefs(definition)
}

function toComponentRefs(schema: Json): Json {
  return JSON.parse(JSON.stringify(schema).replaceAll('"#/$defs/', '"#/components/schemas/'))
}
