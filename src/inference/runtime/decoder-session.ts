import koffi from 'koffi'
import { chooseAttentionKernel } from './attention-kernel.ts'
import type { Address } from './memory/paged-memory.ts'
import { OrtApi } from './native/ort-api.ts'

export interface SessionOptions {
  readonly graphPath: string
  /** Threads of one run, the calling thread included. */
  readonly threads: number
  /** Threads spin between operators: faster on an idle machine, much slower on a shared one. */
  readonly spinning: boolean
  /** Positions of a row of the cache. */
  readonly contextLength: number
}

/** Element types of tensors, from `ONNXTensorElementDataType`. */
export const ELEMENT = {
  float32: { code: 1, bytes: 4 },
  int8: { code: 3, bytes: 1 },
  int32: { code: 6, bytes: 4 },
  int64: { code: 7, bytes: 8 }
} as const
export type ElementType = keyof typeof ELEMENT

/**
 * ORT_LOGGING_LEVEL_FATAL: errors are returned as a status. If they were printed too, each terminated run would look
 * like a fault.
 */
const LOG_FATAL_ONLY = 4
const OPTIMIZE_ALL = 99
/** `OrtArenaAllocator` and `OrtMemTypeDefault`. */
const ARENA_ALLOCATOR = 1
const DEFAULT_MEMORY = 0

/**
 * How long a thread spins before it sleeps: longer than the gap between two operators, far shorter than a time slice.
 * ONNX Runtime's default spins for milliseconds, which on shared cores made runs up to four times slower
 * (docs/decisions.md).
 */
const SPIN_US = '200'

/** A loaded graph, tensors on memory of the caller, and runs that can be terminated. */
export class DecoderSession {
  readonly #api: OrtApi
  readonly #environment: Address
  readonly #session: Address
  readonly #memoryInfo: Address
  readonly #runOptions: Address
  readonly inputNames: readonly string[]

  private constructor(api: OrtApi, environment: Address, session: Address) {
    this.#api = api
    this.#environment = environment
    this.#session = session
    this.#memoryInfo = api.create('CreateCpuMemoryInfo', ARENA_ALLOCATOR, DEFAULT_MEMORY)
    this.#runOptions = api.create('CreateRunOptions')
    this.inputNames = this.#readInputNames()
  }

  /** @throws {ServiceError} `engine_failure` when the graph cannot be loaded */
  static async open(options: SessionOptions): Promise<DecoderSession> {
    const api = new OrtApi()
    const environment = api.create('CreateEnv', LOG_FATAL_ONLY, 'everstream')
    const settings = api.create('CreateSessionOptions')
    let session: Address = 0n
    try {
      api.call('SetSessionLogSeverityLevel', settings, LOG_FATAL_ONLY)
      api.call('SetSessionGraphOptimizationLevel', settings, OPTIMIZE_ALL)
      api.call('SetIntraOpNumThreads', settings, options.threads)
      api.call('SetInterOpNumThreads', settings, 1)
      // ONNX Runtime would keep one memory pattern for every chunk length and batch size.
      api.call('DisableMemPattern', settings)
      api.call('AddSessionConfigEntry', settings, 'session.intra_op.allow_spinning', options.spinning ? '1' : '0')
      if (options.spinning) api.call('AddSessionConfigEntry', settings, 'session.intra_op.spin_duration_us', SPIN_US)
      chooseAttentionKernel(options.contextLength)
      session = await api.createAsync('CreateSession', environment, options.graphPath, settings)
      return new DecoderSession(api, environment, session)
    } catch (error) {
      api.release('ReleaseSession', session)
      api.release('ReleaseEnv', environment)
      throw error
    } finally {
      api.release('ReleaseSessionOptions', settings)
    }
  }

  /** Creates a tensor on memory of the caller, which must outlive it. */
  tensor(type: ElementType, address: Address, shape: readonly number[]): Address {
    const { code, bytes } = ELEMENT[type]
    const size = shape.reduce((product, length) => product * length, bytes)
    return this.#api.create('CreateTensorWithDataAsOrtValue', this.#memoryInfo, address, size, shape.map(BigInt), shape.length, code)
  }

  releaseTensor(value: Address): void {
    this.#api.release('ReleaseValue', value)
  }

  openBinding(): Address {
    return this.#api.create('CreateIoBinding', this.#session)
  }

  closeBinding(binding: Address): void {
    this.#api.release('ReleaseIoBinding', binding)
  }

  /** Replaces an earlier binding of the same name. */
  bindInput(binding: Address, name: string, value: Address): void {
    this.#api.call('BindInput', binding, name, value)
  }

  bindOutput(binding: Address, name: string, value: Address): void {
    this.#api.call('BindOutput', binding, name, value)
  }

  /** @throws {ServiceError} `engine_failure` when ONNX Runtime fails, or after `terminate` */
  async run(binding: Address): Promise<void> {
    this.#api.call('RunOptionsUnsetTerminate', this.#runOptions)
    await this.#api.callAsync('RunWithBinding', this.#session, this.#runOptions, binding)
  }

  /** Stops the run in flight at its next operator. */
  terminate(): void {
    this.#api.call('RunOptionsSetTerminate', this.#runOptions)
  }

  close(): void {
    this.#api.release('ReleaseRunOptions', this.#runOptions)
    this.#api.release('ReleaseMemoryInfo', this.#memoryInfo)
    this.#api.release('ReleaseSession', this.#session)
    this.#api.release('ReleaseEnv', this.#environment)
  }

  #readInputNames(): string[] {
    const allocator = this.#api.create('GetAllocatorWithDefaultOptions')
    const count = Number(this.#api.create('SessionGetInputCount', this.#session))
    return Array.from({ length: count }, (_, index) => {
      const address = this.#api.create('SessionGetInputName', this.#session, index, allocator)
      const name: string = koffi.decode(address, 'char', -1)
      this.#api.call('AllocatorFree', allocator, address)
      return name
    })
  }
}
