import koffi from 'koffi'
import { chooseAttentionKernel } from './attention-kernel.ts'
import { OrtApi } from './ort-api.ts'
import type { Address } from './paged-memory.ts'
import { cpuProvider, type Provider } from './provider.ts'

export interface SessionOptions {
  readonly graphPath: string
  /** Threads of one run, this process's calling thread included. */
  readonly threads: number
  /** Threads wait busily between operators: faster on a quiet machine, much slower on a shared one. */
  readonly spinning: boolean
  /** Positions of a row of the cache that attention will be given. */
  readonly contextLength: number
}

/** Element types of tensors, from `ONNXTensorElementDataType`. */
export const ELEMENT = { float32: { code: 1, bytes: 4 }, int32: { code: 6, bytes: 4 }, int64: { code: 7, bytes: 8 } } as const
export type ElementType = keyof typeof ELEMENT

/**
 * ORT_LOGGING_LEVEL_FATAL: what goes wrong reaches us as a status; printed too, each ended run would look like a fault.
 */
const LOG_FATAL_ONLY = 4
const OPTIMIZE_ALL = 99

/**
 * How long a thread waits busily before it sleeps: longer than the gap between two operators, far shorter than a time
 * slice. ONNX Runtime's own default goes on for milliseconds, which on cores that others use too cost up to four times
 * (docs/decisions.md).
 */
const SPIN_US = '200'

/** A loaded graph, tensors on memory of ours, and runs that can be ended. */
export class DecoderSession {
  readonly #api: OrtApi
  readonly #environment: Address
  readonly #session: Address
  readonly #memoryInfo: Address
  readonly #runOptions: Address
  readonly inputNames: readonly string[]

  private constructor(api: OrtApi, environment: Address, session: Address, provider: Provider) {
    this.#api = api
    this.#environment = environment
    this.#session = session
    this.#memoryInfo = provider.createMemoryInfo(api)
    this.#runOptions = api.create('CreateRunOptions')
    this.inputNames = this.#readInputNames()
  }

  /** @throws {ServiceError} `engine_failure` when the graph cannot be loaded */
  static async open(options: SessionOptions, provider: Provider = cpuProvider): Promise<DecoderSession> {
    const api = new OrtApi()
    const environment = api.create('CreateEnv', LOG_FATAL_ONLY, 'everstream')
    const settings = api.create('CreateSessionOptions')
    let session: Address = 0n
    try {
      api.call('SetSessionLogSeverityLevel', settings, LOG_FATAL_ONLY)
      api.call('SetSessionGraphOptimizationLevel', settings, OPTIMIZE_ALL)
      api.call('SetIntraOpNumThreads', settings, options.threads)
      api.call('SetInterOpNumThreads', settings, 1)
      // One pattern would be kept for every chunk length and batch size.
      api.call('DisableMemPattern', settings)
      api.call('AddSessionConfigEntry', settings, 'session.intra_op.allow_spinning', options.spinning ? '1' : '0')
      if (options.spinning) api.call('AddSessionConfigEntry', settings, 'session.intra_op.spin_duration_us', SPIN_US)
      provider.append(api, settings)
      chooseAttentionKernel(options.contextLength)
      session = await api.createAsync('CreateSession', environment, options.graphPath, settings)
      return new DecoderSession(api, environment, session, provider)
    } catch (error) {
      api.release('ReleaseSession', session)
      api.release('ReleaseEnv', environment)
      throw error
    } finally {
      api.release('ReleaseSessionOptions', settings)
    }
  }

  /** A tensor on memory of the caller's, which must outlive it. */
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

  /** Binding a name again replaces what was bound. */
  bindInput(binding: Address, name: string, value: Address): void {
    this.#api.call('BindInput', binding, name, value)
  }

  bindOutput(binding: Address, name: string, value: Address): void {
    this.#api.call('BindOutput', binding, name, value)
  }

  /** @throws {ServiceError} `engine_failure` when ONNX Runtime refuses, or after `terminate` */
  async run(binding: Address): Promise<void> {
    this.#api.call('RunOptionsUnsetTerminate', this.#runOptions)
    await this.#api.callAsync('RunWithBinding', this.#session, this.#runOptions, binding)
  }

  /** Ends the run in flight at its next operator. */
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
