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

/** One row of the table of options: what the command line, the environment and `--help` know of it. */
export interface Option<Value, Fallback> {
  readonly schema: ValueSchema<Value>
  /** The value where none is given; null where there is none, or the machine decides. */
  readonly fallback: Fallback
  readonly group: 'Text' | 'Model' | 'Server' | 'Engine' | 'Limits'
  /** How `--help` writes the value; null for a switch. */
  readonly placeholder: string | null
  /** How `--help` writes the default; null shows none. */
  readonly shownDefault: string | null
  readonly help: string
  /** Never printed, not even in a mistake. */
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
 * Every option there is. A row named `maxSlots` is `--max-slots` on the command line and `MAX_SLOTS` in the
 * environment; the command line wins.
 */
export const OPTIONS = {
  maxTokens: option({
    schema: wholeNumber(1, 1_048_576),
    fallback: 128,
    group: 'Text',
    placeholder: '<number>',
    help: 'Tokens to write at most; a token is about three quarters of a word.'
  }),
  temperature: option({
    schema: number(0, 2),
    fallback: 0,
    group: 'Text',
    placeholder: '<number>',
    help: '0 takes the likeliest token each time, so that the same prompt gives the same text; 1 draws as the model says; 2 is wild.'
  }),
  seed: option({
    schema: wholeNumber(0, 999_999_999_999_999),
    fallback: null,
    group: 'Text',
    placeholder: '<number>',
    shownDefault: 'drawn anew each time',
    help: 'With a temperature above 0, the same seed gives the same text.'
  }),
  model: option({
    schema: anyText,
    fallback: 'smollm2-135m-instruct',
    group: 'Model',
    placeholder: '<name|path>',
    help: `What to serve: a name that \`models list\` shows, a .gguf file, or a folder with a model in it. A named model is downloaded at the first start. Families: ${FAMILIES.map(({ title }) => title).join(', ')}.`
  }),
  servedModelName: option({
    schema: anyText,
    fallback: null,
    group: 'Model',
    placeholder: '<name>',
    shownDefault: "the model's name",
    help: 'The name that clients give as "model".'
  }),
  modelsFolder: option({
    schema: anyText,
    fallback: join(PROJECT_FOLDER, 'models'),
    group: 'Model',
    placeholder: '<folder>',
    shownDefault: 'models/ of the project',
    help: 'Where downloaded models are kept.'
  }),
  quantization: option({
    schema: oneOf(['auto', 'none', 'int8']),
    fallback: 'auto',
    group: 'Model',
    placeholder: 'auto|none|int8',
    help: 'How weights are held: auto keeps GGUF as it is and turns floats into 8 bits; none computes in float32 (slower, larger).'
  }),
  host: option({
    schema: anyText,
    fallback: '127.0.0.1',
    group: 'Server',
    placeholder: '<address>',
    help: 'The address to listen on. 0.0.0.0 is every network of this machine, and then needs --api-key.'
  }),
  port: option({
    schema: wholeNumber(0, 65_535),
    fallback: 8000,
    group: 'Server',
    placeholder: '<number>',
    help: 'The port to listen on; 0 takes any free one.'
  }),
  apiKey: option({
    schema: headerToken,
    fallback: null,
    group: 'Server',
    placeholder: '<key>',
    shownDefault: 'none: whoever reaches the server may use it',
    help: 'What clients must send as "Authorization: Bearer <key>". Better given as API_KEY: other users of this machine can read command lines.',
    isSecret: true
  }),
  insecureOpen: option({
    schema: onOrOff,
    fallback: false,
    group: 'Server',
    placeholder: null,
    help: 'Serve other machines without an API key.'
  }),
  strictParams: option({
    schema: onOrOff,
    fallback: false,
    group: 'Server',
    placeholder: null,
    help: 'Refuse requests with unknown fields (400); otherwise the response names them in the header x-ignored-params.'
  }),
  redisUrl: option({
    schema: redisUrl,
    fallback: null,
    group: 'Server',
    placeholder: '<url>',
    shownDefault: 'none: the queue is in the memory of the server',
    help: 'Where the queue is shared by servers and workers on any machine: redis://host:6379, rediss://…, redis+sentinel://host,host/master, redis+cluster://host,host.',
    isSecret: true
  }),
  redisPrefix: option({
    schema: redisPrefix,
    fallback: 'everstream',
    group: 'Server',
    placeholder: '<name>',
    help: 'What the names of all keys in Redis begin with. Those who share it share a queue, and a model.'
  }),
  redisShards: option({
    schema: wholeNumber(1, 256),
    fallback: 1,
    group: 'Server',
    placeholder: '<number>',
    help: 'Parts of the queue, each of which may lie on another node of a cluster. The same for all who share the queue.'
  }),
  admin: option({
    schema: onOrOff,
    fallback: false,
    group: 'Server',
    placeholder: null,
    help: 'Show the queue in Redis under /admin/queues (Bull Board, for looking only). Needs --redis-url, and a --host of this machine alone.'
  }),
  logLevel: option({
    schema: oneOf(['fatal', 'error', 'warn', 'info', 'debug', 'trace', 'silent']),
    fallback: 'info',
    group: 'Server',
    placeholder: '<level>',
    help: 'How much is logged: fatal, error, warn, info, debug, trace, or silent. Prompts and texts never are.'
  }),
  workers: option({
    schema: wholeNumber(0, 64),
    fallback: 1,
    group: 'Engine',
    placeholder: '<number>',
    help: 'Processes that each run the model. One serves many clients at once; more of them survive a crash better.'
  }),
  spareWorkers: option({
    schema: wholeNumber(0, 64),
    fallback: 0,
    group: 'Engine',
    placeholder: '<number>',
    help: 'Workers beyond those, which load the model and wait: when one dies, a spare takes its place at once. Each needs the memory of a model.'
  }),
  threads: option({
    schema: wholeNumber(1, 1024),
    fallback: null,
    group: 'Engine',
    placeholder: '<number>',
    shownDefault: 'cores / workers',
    help: 'Threads of each worker.'
  }),
  maxSlots: option({
    schema: wholeNumber(1, 1024),
    fallback: 32,
    group: 'Engine',
    placeholder: '<number>',
    help: 'Texts that a worker writes at the same time.'
  }),
  maxContext: option({
    schema: wholeNumber(2, 1_048_576),
    fallback: null,
    group: 'Engine',
    placeholder: '<tokens>',
    shownDefault: "the model's own",
    help: 'Prompt and answer together, at most.'
  }),
  cacheMemory: option({
    schema: byteSize(2 ** 20),
    fallback: null,
    group: 'Engine',
    placeholder: '<size>',
    shownDefault: 'half of the memory this process may use',
    help: 'Memory for the key/value caches of all workers together: 2GiB, 512MiB, or bytes.'
  }),
  recovery: option({
    schema: oneOf(['exact', 'fast']),
    fallback: 'exact',
    group: 'Engine',
    placeholder: 'exact|fast',
    help: 'How a text goes on after its worker died: exact computes again to the same bits, fast is sooner there and may choose another word at a near-tie.'
  }),
  engine: option({
    schema: oneOf(['onnx', 'simulated']),
    fallback: 'onnx',
    group: 'Engine',
    placeholder: 'onnx|simulated',
    help: 'simulated makes known tokens at a steady pace without a model: for load and fault tests.'
  }),
  simulatedStepMs: option({
    schema: wholeNumber(0, 60_000),
    fallback: 20,
    group: 'Engine',
    placeholder: '<ms>',
    help: 'Pace of the simulated engine: milliseconds per token.'
  }),
  queueLimit: option({
    schema: wholeNumber(1, 1_000_000),
    fallback: 256,
    group: 'Limits',
    placeholder: '<number>',
    help: 'Requests that may wait; more are answered 503 with Retry-After.'
  }),
  drainSeconds: option({
    schema: seconds(0, 86_400),
    fallback: 30,
    group: 'Limits',
    placeholder: '<seconds>',
    help: 'At Ctrl-C or SIGTERM, running requests have this long to finish.'
  }),
  stepTimeoutSeconds: option({
    schema: seconds(0.1, 3600),
    fallback: 30,
    group: 'Limits',
    placeholder: '<seconds>',
    help: 'A worker whose step takes longer hangs, and is replaced.'
  }),
  resumeGraceSeconds: option({
    schema: seconds(0.1, 86_400),
    fallback: 60,
    group: 'Limits',
    placeholder: '<seconds>',
    help: 'A request whose readers have all left is cancelled after this long, unless it runs in the background.'
  }),
  streamRetentionSeconds: option({
    schema: seconds(0.1, 604_800),
    fallback: 600,
    group: 'Limits',
    placeholder: '<seconds>',
    help: 'How long a stream that can be resumed may still be read after its end.'
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
