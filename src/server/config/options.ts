import { join } from 'node:path'
import { FAMILIES } from '../../inference/families/registry.ts'
import {
  anyText,
  byteSize,
  headerToken,
  number,
  oneOf,
  onOrOff,
  redisPrefix,
  redisUrl,
  seconds,
  type ValueSchema,
  wholeNumber
} from './value-schemas.ts'

/** One row of the table of options, for the command line, the environment and `--help`. */
export interface Option<Value, Fallback> {
  readonly schema: ValueSchema<Value>
  /** The default; null if there is none, or if it depends on the machine. */
  readonly fallback: Fallback
  readonly group: 'Text' | 'Model' | 'Server' | 'Engine' | 'Limits'
  /** The value as `--help` shows it; null for a switch. */
  readonly placeholder: string | null
  /** The default as `--help` shows it; null shows none. */
  readonly shownDefault: string | null
  readonly help: string
  /** Never printed, not even in an error message. */
  readonly isSecret: boolean
}

type Row<Value, Fallback> = Pick<Option<Value, Fallback>, 'schema' | 'fallback' | 'group' | 'placeholder' | 'help'> &
  Partial<Option<Value, Fallback>>

function option<Value, const Fallback extends Value | null>(row: Row<Value, Fallback>): Option<Value, Fallback> {
  const { fallback } = row
  const shownDefault = fallback === null || fallback === false ? null : String(fallback)
  return { isSecret: false, shownDefault, ...row }
}

const PROJECT_FOLDER = join(import.meta.dirname, '..', '..', '..')

/**
 * All options. A row named `maxSlots` is `--max-slots` on the command line and `MAX_SLOTS` in the
 * environment; the command line wins.
 */
export const OPTIONS = {
  maxTokens: option({
    schema: wholeNumber(1, 1_048_576),
    fallback: 128,
    group: 'Text',
    placeholder: '<number>',
    help: 'Maximum number of tokens to generate; a token is about three quarters of a word.'
  }),
  temperature: option({
    schema: number(0, 2),
    fallback: 0,
    group: 'Text',
    placeholder: '<number>',
    help: 'Sampling temperature. 0 always takes the most probable token, so the same prompt gives the same text; higher values are more random.'
  }),
  seed: option({
    schema: wholeNumber(0, 999_999_999_999_999),
    fallback: null,
    group: 'Text',
    placeholder: '<number>',
    shownDefault: 'random',
    help: 'Seed of the sampler. With a temperature above 0, the same seed gives the same text.'
  }),
  model: option({
    schema: anyText,
    fallback: 'smollm2-135m-instruct',
    group: 'Model',
    placeholder: '<name|path>',
    help: `Model to serve: a name from \`models list\`, a .gguf file, or a folder that contains a model. A named model is downloaded at the first start. Families: ${FAMILIES.map(({ title }) => title).join(', ')}.`
  }),
  servedModelName: option({
    schema: anyText,
    fallback: null,
    group: 'Model',
    placeholder: '<name>',
    shownDefault: "the model's name",
    help: 'Model name in the API: the value of "model" in requests.'
  }),
  modelsFolder: option({
    schema: anyText,
    fallback: join(PROJECT_FOLDER, 'models'),
    group: 'Model',
    placeholder: '<folder>',
    shownDefault: 'models/ in the project',
    help: 'Folder for downloaded models.'
  }),
  quantization: option({
    schema: oneOf(['auto', 'none', 'int8', 'native', 'w8a8']),
    fallback: 'auto',
    group: 'Model',
    placeholder: 'auto|none|int8|native|w8a8',
    help: 'Format of the weights in memory: auto keeps the quantization of GGUF files and converts floats to int8; native keeps types of 4 bits at 4 bits (smaller; faster with one stream of a large model, on AVX2 everywhere); none computes in float32 (slower, larger); w8a8 also rounds activations to 8 bits, row by row: faster with many streams and long prompts, less exact (its distance from auto is measured and printed at the first start).'
  }),
  host: option({
    schema: anyText,
    fallback: '127.0.0.1',
    group: 'Server',
    placeholder: '<address>',
    help: 'Address to listen on. 0.0.0.0 listens on all interfaces and needs --api-key.'
  }),
  port: option({
    schema: wholeNumber(0, 65_535),
    fallback: 8000,
    group: 'Server',
    placeholder: '<number>',
    help: 'Port to listen on; 0 selects a free port.'
  }),
  apiKey: option({
    schema: headerToken,
    fallback: null,
    group: 'Server',
    placeholder: '<key>',
    shownDefault: 'none, no authentication',
    help: 'API key that clients must send as "Authorization: Bearer <key>". Prefer the variable API_KEY: other users of this machine can read command lines.',
    isSecret: true
  }),
  insecureOpen: option({
    schema: onOrOff,
    fallback: false,
    group: 'Server',
    placeholder: null,
    help: 'Accept connections from other machines without an API key.'
  }),
  strictParams: option({
    schema: onOrOff,
    fallback: false,
    group: 'Server',
    placeholder: null,
    help: 'Reject requests with unknown fields (400). Without it the response lists them in the header x-ignored-params.'
  }),
  redisUrl: option({
    schema: redisUrl,
    fallback: null,
    group: 'Server',
    placeholder: '<url>',
    shownDefault: 'none, the queue is in the memory of the server',
    help: 'Redis for a queue that servers and workers on any machine share: redis://host:6379, rediss://…, redis+sentinel://host,host/master, redis+cluster://host,host.',
    isSecret: true
  }),
  redisPrefix: option({
    schema: redisPrefix,
    fallback: 'everstream',
    group: 'Server',
    placeholder: '<name>',
    help: 'Prefix of all keys in Redis. Servers and workers with the same prefix share a queue and must serve the same model.'
  }),
  redisShards: option({
    schema: wholeNumber(1, 256),
    fallback: 1,
    group: 'Server',
    placeholder: '<number>',
    help: 'Number of shards of the queue; each can be on a different node of a cluster. Must be the same for all servers and workers of a queue.'
  }),
  admin: option({
    schema: onOrOff,
    fallback: false,
    group: 'Server',
    placeholder: null,
    help: 'Show the queue in Redis at /admin/queues (Bull Board, read-only). Needs --redis-url and a loopback --host.'
  }),
  logLevel: option({
    schema: oneOf(['fatal', 'error', 'warn', 'info', 'debug', 'trace', 'silent']),
    fallback: 'info',
    group: 'Server',
    placeholder: '<level>',
    help: 'Log level: fatal, error, warn, info, debug, trace, or silent. Prompts and generated text are never logged.'
  }),
  workers: option({
    schema: wholeNumber(0, 64),
    fallback: 1,
    group: 'Engine',
    placeholder: '<number>',
    help: 'Number of worker processes, each of which runs the model. One serves many clients at once; with more, a crash interrupts fewer requests.'
  }),
  spareWorkers: option({
    schema: wholeNumber(0, 64),
    fallback: 0,
    group: 'Engine',
    placeholder: '<number>',
    help: 'Number of additional workers that load the model and stay idle until another worker crashes. Each needs the memory of one model.'
  }),
  threads: option({
    schema: wholeNumber(1, 1024),
    fallback: null,
    group: 'Engine',
    placeholder: '<number>',
    shownDefault: 'cores / workers',
    help: 'Number of threads per worker.'
  }),
  maxSlots: option({
    schema: wholeNumber(1, 1024),
    fallback: 32,
    group: 'Engine',
    placeholder: '<number>',
    help: 'Maximum number of sequences that a worker generates at the same time.'
  }),
  maxContext: option({
    schema: wholeNumber(2, 1_048_576),
    fallback: null,
    group: 'Engine',
    placeholder: '<tokens>',
    shownDefault: 'the context length of the model',
    help: 'Maximum length of prompt and completion together.'
  }),
  cacheMemory: option({
    schema: byteSize(2 ** 20),
    fallback: null,
    group: 'Engine',
    placeholder: '<size>',
    shownDefault: 'half of the memory this process may use',
    help: 'Memory for the key/value caches of all workers together: 2GiB, 512MiB, or a number of bytes.'
  }),
  cacheType: option({
    schema: oneOf(['f32', 'int8']),
    fallback: 'f32',
    group: 'Engine',
    placeholder: 'f32|int8',
    help: 'Format of the key/value cache: int8 takes a quarter of the memory and shortens steps with long contexts, makes long prompts slower, and is less exact (measured and printed at the first start).'
  }),
  recovery: option({
    schema: oneOf(['exact', 'fast']),
    fallback: 'exact',
    group: 'Engine',
    placeholder: 'exact|fast',
    help: 'How a sequence resumes after its worker crashed: exact recomputes it to the same bits; fast resumes sooner and may choose another token at a near-tie.'
  }),
  engine: option({
    schema: oneOf(['onnx', 'simulated']),
    fallback: 'onnx',
    group: 'Engine',
    placeholder: 'onnx|simulated',
    help: 'simulated emits a fixed sequence of tokens at a constant rate without a model, for load and fault tests.'
  }),
  simulatedStepMs: option({
    schema: wholeNumber(0, 60_000),
    fallback: 20,
    group: 'Engine',
    placeholder: '<ms>',
    help: 'Time per token of the simulated engine, in milliseconds.'
  }),
  queueLimit: option({
    schema: wholeNumber(1, 1_000_000),
    fallback: 256,
    group: 'Limits',
    placeholder: '<number>',
    help: 'Maximum number of waiting requests; further requests are answered with 503 and Retry-After.'
  }),
  drainSeconds: option({
    schema: seconds(0, 86_400),
    fallback: 30,
    group: 'Limits',
    placeholder: '<seconds>',
    help: 'Time for running requests to finish after SIGINT (Ctrl-C) or SIGTERM.'
  }),
  stepTimeoutSeconds: option({
    schema: seconds(0.1, 3600),
    fallback: 30,
    group: 'Limits',
    placeholder: '<seconds>',
    help: 'Maximum duration of one step of a worker; a worker that exceeds it is killed and replaced.'
  }),
  resumeGraceSeconds: option({
    schema: seconds(0.1, 86_400),
    fallback: 60,
    group: 'Limits',
    placeholder: '<seconds>',
    help: 'Time after which a resumable request without a reader is cancelled, unless it runs in the background.'
  }),
  streamRetentionSeconds: option({
    schema: seconds(0.1, 604_800),
    fallback: 600,
    group: 'Limits',
    placeholder: '<seconds>',
    help: 'Time for which a resumable stream can be read after it has ended.'
  })
}

export type OptionKey = keyof typeof OPTIONS

/** `maxSlots` → `max-slots`. */
export function flagOf(key: OptionKey): string {
  return key.replace(/[A-Z]/g, letter => `-${letter.toLowerCase()}`)
}

/** `maxSlots` → `MAX_SLOTS`. */
export function variableOf(key: OptionKey): string {
  return flagOf(key).replaceAll('-', '_').toUpperCase()
}
