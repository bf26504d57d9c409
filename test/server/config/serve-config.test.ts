import { resolve } from 'node:path'
import { expect, it } from 'vitest'
import { ExitError } from '../../../src/server/config/exit-error.ts'
import { flagOf, OPTIONS, variableOf } from '../../../src/server/config/options.ts'
import { readServeConfig, SERVE_OPTIONS, type ServeConfig } from '../../../src/server/config/serve-config.ts'

const MACHINE = { cores: 8, memoryBytes: 16 * 2 ** 30 }
const KEYS = SERVE_OPTIONS
type Key = (typeof KEYS)[number]

/** A text for each option and its parsed value; none is a default. */
const SAMPLES: Readonly<Record<Key, readonly [text: string, value: unknown]>> = {
  model: ['folder/some.gguf', 'folder/some.gguf'],
  servedModelName: ['gpt-small', 'gpt-small'],
  modelsFolder: ['here', resolve('here')],
  quantization: ['none', 'none'],
  host: ['::1', '::1'],
  port: ['0', 0],
  apiKey: ['sk-1234', 'sk-1234'],
  redisUrl: ['redis://cache:6380', 'redis://cache:6380'],
  redisPrefix: ['blue', 'blue'],
  redisShards: ['4', 4],
  insecureOpen: ['true', true],
  strictParams: ['on', true],
  admin: ['on', true],
  logLevel: ['silent', 'silent'],
  workers: ['3', 3],
  spareWorkers: ['2', 2],
  threads: ['5', 5],
  maxSlots: ['1', 1],
  maxContext: ['2048', 2048],
  cacheType: ['int8', 'int8'],
  cacheMemory: ['512MiB', 2 ** 29],
  recovery: ['fast', 'fast'],
  engine: ['simulated', 'simulated'],
  simulatedStepMs: ['0', 0],
  queueLimit: ['7', 7],
  drainSeconds: ['0.5', 0.5],
  stepTimeoutSeconds: ['2', 2],
  resumeGraceSeconds: ['5', 5],
  streamRetentionSeconds: ['90', 90]
}

it('has the documented defaults', () => {
  expect(read([])).toMatchObject({
    model: 'smollm2-135m-instruct',
    servedModelName: null,
    modelsFolder: resolve('models'),
    quantization: 'auto',
    host: '127.0.0.1',
    port: 8000,
    apiKey: null,
    insecureOpen: false,
    strictParams: false,
    admin: false,
    logLevel: 'info',
    workers: 1,
    spareWorkers: 0,
    threads: 8,
    maxSlots: 32,
    maxContext: null,
    cacheType: 'f32',
    recovery: 'exact',
    cacheMemoryBytes: 8 * 2 ** 30,
    engine: 'onnx',
    simulatedStepMs: 20,
    queueLimit: 256,
    drainSeconds: 30,
    stepTimeoutSeconds: 30,
    resumeGraceSeconds: 60,
    streamRetentionSeconds: 600
  })
})

it.each(KEYS)('reads %s from the command line and from the environment; the command line takes precedence', key => {
  const [text, value] = SAMPLES[key]
  const flag = OPTIONS[key].placeholder === null ? [`--${flagOf(key)}`] : [`--${flagOf(key)}`, text]
  const company = key === 'admin' ? { REDIS_URL: 'redis://cache' } : {}
  expect(readValue(read(flag, company), key)).toEqual(value)
  expect(readValue(read([], { ...company, [variableOf(key)]: text }), key)).toEqual(value)
  expect(readValue(read(flag, { ...company, [variableOf(key)]: 'no such value' }), key)).toEqual(value)
})

it('reads --flag=value and switches that are turned off, and ignores an empty variable', () => {
  expect(read(['--port=9', '--strict-params=false'], { STRICT_PARAMS: '1', WORKERS: '' })).toMatchObject({
    port: 9,
    strictParams: false,
    workers: 1
  })
})

it('divides the cores between the workers, with at least one for each', () => {
  expect([1, 3, 8, 20].map(workers => read(['--workers', String(workers)]).threads)).toEqual([8, 2, 1, 1])
})

it('serves --admin on a loopback address only, and only with a queue in Redis', () => {
  expect(mistakes(['--admin'], {})).toEqual(['--admin needs --redis-url: it shows the queue in Redis'])
  expect(mistakes(['--admin', '--host', '0.0.0.0'], { REDIS_URL: 'redis://cache', API_KEY: 'key' })).toEqual([
    '--admin needs a loopback --host, not 0.0.0.0'
  ])
})

it('reports all mistakes at once, each with option, bound and value', () => {
  expect(
    mistakes(['--port', '99999', '--wrkers', '2', 'serve', '--quantization', 'int4', '--host', '0.0.0.0'], { MAX_SLOTS: 'many' })
  ).toEqual([
    'unknown option --wrkers: did you mean --workers?',
    '--quantization must be one of auto, none, int8, native, w8a8, not "int4"',
    '--port must be a whole number from 0 to 65535, not "99999"',
    'MAX_SLOTS must be a whole number from 1 to 1024, not "many"',
    'unexpected argument "serve"',
    '--host 0.0.0.0 accepts connections from other machines, and no API key is set: set API_KEY (--api-key), or --insecure-open to serve without a key'
  ])
})

it('refuses a context that is too short for the self-test of a worker, unless no model is loaded', () => {
  expect(mistakes(['--max-context', '24'])).toEqual([expect.stringMatching(/^--max-context 24 must be at least 25\b/)])
  expect(mistakes([], { MAX_CONTEXT: '2' })).toHaveLength(1)
  expect(read(['--max-context', '25']).maxContext).toBe(25)
  expect(read(['--max-context', '2', '--engine', 'simulated']).maxContext).toBe(2)
})

it('names an option without a value', () => {
  expect(mistakes(['--port'])).toEqual(['--port needs a value: <number>'])
  expect(mistakes(['--model', '--port', '8000'])).toContain('--model needs a value before --port')
})

it('never repeats a secret, not even an invalid one', () => {
  const emitted = mistakes(['--api-key', 'top secret']).join('\n')
  expect(emitted).toContain('--api-key must be')
  expect(emitted).not.toContain('top')
})

it.each(['127.0.0.1', '127.8.9.1', '::1', 'localhost', 'LOCALHOST'])('needs no API key on %s, which only this machine can reach', host => {
  expect(read(['--host', host]).host).toBe(host)
})

it.each(['0.0.0.0', '::', '192.168.1.2', 'example.org', '::ffff:10.0.0.1'])('needs an API key or --insecure-open on %s', host => {
  expect(mistakes(['--host', host])).toHaveLength(1)
  expect(read(['--host', host, '--insecure-open']).host).toBe(host)
  expect(read(['--host', host], { API_KEY: 'k' }).host).toBe(host)
})

it.each([
  ['HF_ENDPOINT', 'not a url'],
  ['HF_ENDPOINT', 'ftp://hub']
])('refuses %s=%s', (name, value) => {
  expect(mistakes([], { [name]: value })).toHaveLength(1)
})

it('reads the hub from HF_ENDPOINT and its token from HF_TOKEN', () => {
  expect(read([], { HF_ENDPOINT: 'http://mirror/hub/', HF_TOKEN: 'hf_x' }).network).toMatchObject({
    hubEndpoint: 'http://mirror/hub',
    hubToken: 'hf_x'
  })
  expect(read([]).network).toMatchObject({ hubEndpoint: 'https://huggingface.co', hubToken: null })
})

function read(argv: readonly string[], environment: Record<string, string> = {}): ServeConfig {
  return readServeConfig(argv, environment, MACHINE)
}

function readValue(config: ServeConfig, key: Key): unknown {
  return key === 'cacheMemory' ? config.cacheMemoryBytes : config[key]
}

function mistakes(argv: readonly string[], environment: Record<string, string> = {}): string[] {
  try {
    read(argv, environment)
    return []
  } catch (error) {
    expect(error).toBeInstanceOf(ExitError)
    expect(error).toHaveProperty('exitCode', 2)
    return (error as ExitError).message.split('\n')
  }
}
