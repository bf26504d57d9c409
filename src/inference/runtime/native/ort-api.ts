import { platform } from 'node:process'
import koffi from 'koffi'
import { ServiceError } from '../../contract/errors.ts'
import type { Address } from '../memory/paged-memory.ts'
import { openApiBase } from './ort-library.ts'

/** The oldest version of the API that has every function below; later libraries support it unchanged. */
const API_VERSION = 17

/** Paths are strings of `ORTCHAR_T`. */
const PATH = platform === 'win32' ? 'const char16_t *' : 'const char *'

/**
 * Index of each function in `struct OrtApi` and its parameters, from onnxruntime_c_api.h. The order is a stable ABI:
 * functions are only added at the end. A function that can fail returns null or an OrtStatus, which the caller
 * releases.
 */
const FUNCTIONS = {
  GetErrorMessage: [2, 'const char *', ['intptr_t']],
  CreateEnv: [3, 'intptr_t', ['int', 'const char *', '_Out_ intptr_t *']],
  CreateSession: [7, 'intptr_t', ['intptr_t', PATH, 'intptr_t', '_Out_ intptr_t *']],
  CreateSessionOptions: [10, 'intptr_t', ['_Out_ intptr_t *']],
  DisableMemPattern: [17, 'intptr_t', ['intptr_t']],
  SetSessionLogSeverityLevel: [22, 'intptr_t', ['intptr_t', 'int']],
  SetSessionGraphOptimizationLevel: [23, 'intptr_t', ['intptr_t', 'int']],
  SetIntraOpNumThreads: [24, 'intptr_t', ['intptr_t', 'int']],
  SetInterOpNumThreads: [25, 'intptr_t', ['intptr_t', 'int']],
  SessionGetInputCount: [30, 'intptr_t', ['intptr_t', '_Out_ size_t *']],
  SessionGetInputName: [36, 'intptr_t', ['intptr_t', 'size_t', 'intptr_t', '_Out_ intptr_t *']],
  CreateRunOptions: [39, 'intptr_t', ['_Out_ intptr_t *']],
  RunOptionsSetTerminate: [46, 'intptr_t', ['intptr_t']],
  RunOptionsUnsetTerminate: [47, 'intptr_t', ['intptr_t']],
  CreateTensorWithDataAsOrtValue: [
    49,
    'intptr_t',
    ['intptr_t', 'intptr_t', 'size_t', 'const int64_t *', 'size_t', 'int', '_Out_ intptr_t *']
  ],
  CreateCpuMemoryInfo: [69, 'intptr_t', ['int', 'int', '_Out_ intptr_t *']],
  AllocatorFree: [76, 'intptr_t', ['intptr_t', 'intptr_t']],
  GetAllocatorWithDefaultOptions: [78, 'intptr_t', ['_Out_ intptr_t *']],
  ReleaseEnv: [92, 'void', ['intptr_t']],
  ReleaseStatus: [93, 'void', ['intptr_t']],
  ReleaseMemoryInfo: [94, 'void', ['intptr_t']],
  ReleaseSession: [95, 'void', ['intptr_t']],
  ReleaseValue: [96, 'void', ['intptr_t']],
  ReleaseRunOptions: [97, 'void', ['intptr_t']],
  ReleaseSessionOptions: [100, 'void', ['intptr_t']],
  AddSessionConfigEntry: [130, 'intptr_t', ['intptr_t', 'const char *', 'const char *']],
  RunWithBinding: [133, 'intptr_t', ['intptr_t', 'intptr_t', 'intptr_t']],
  CreateIoBinding: [134, 'intptr_t', ['intptr_t', '_Out_ intptr_t *']],
  ReleaseIoBinding: [135, 'void', ['intptr_t']],
  BindInput: [136, 'intptr_t', ['intptr_t', 'const char *', 'intptr_t']],
  BindOutput: [137, 'intptr_t', ['intptr_t', 'const char *', 'intptr_t']]
} as const satisfies Record<string, readonly [number, string, readonly string[]]>

export type OrtFunction = keyof typeof FUNCTIONS
/** Argument types of koffi: numbers, addresses, strings, arrays, and one-element arrays for out parameters. */
type NativeArgument = number | bigint | string | readonly bigint[] | [bigint | number] | null
type NativeCall = ((...values: NativeArgument[]) => number | bigint | string | null) & {
  readonly async: (...values: [...NativeArgument[], (error: unknown, result: number | bigint) => void]) => void
}

/** ONNX Runtime's C API: functions are called by name, errors become exceptions. */
export class OrtApi {
  readonly #calls: Readonly<Record<OrtFunction, NativeCall>>

  /** @throws {ServiceError} `unavailable` where there is no library for this machine, or it is too old */
  constructor() {
    const table: Address = BigInt(koffi.call(openApiBase().getApi, koffi.proto('intptr_t (uint32_t)'), API_VERSION))
    if (table === 0n) throw new ServiceError('unavailable', `this ONNX Runtime is older than version 1.${API_VERSION}`)
    const calls = Object.entries(FUNCTIONS).map(([name, [index, result, parameters]]) => {
      const address: Address = BigInt(koffi.decode(table + BigInt(index * koffi.sizeof('intptr_t')), 'intptr_t'))
      return [name, koffi.decode(address, koffi.proto(result, [...parameters]))]
    })
    this.#calls = Object.fromEntries(calls)
  }

  /** @throws {ServiceError} `engine_failure` with ONNX Runtime's message */
  call(name: OrtFunction, ...values: NativeArgument[]): void {
    this.#check(this.#calls[name](...values))
  }

  /** For functions whose last parameter receives a handle. */
  create(name: OrtFunction, ...values: NativeArgument[]): Address {
    const out: [bigint | number] = [0]
    this.call(name, ...values, out)
    return BigInt(out[0])
  }

  /** As `create`, outside the event loop. */
  async createAsync(name: OrtFunction, ...values: NativeArgument[]): Promise<Address> {
    const out: [bigint | number] = [0]
    await this.callAsync(name, ...values, out)
    return BigInt(out[0])
  }

  callAsync(name: OrtFunction, ...values: NativeArgument[]): Promise<void> {
    return new Promise((resolve, reject) => {
      this.#calls[name].async(...values, (error, status) => {
        try {
          if (error !== null && error !== undefined) throw error
          this.#check(status)
          resolve()
        } catch (failure) {
          reject(failure)
        }
      })
    })
  }

  /** For functions that return no status. */
  release(name: Extract<OrtFunction, `Release${string}`>, handle: Address): void {
    this.#calls[name](handle)
  }

  #check(returned: number | bigint | string | null): void {
    if (returned === null || BigInt(returned) === 0n) return
    const status = BigInt(returned)
    const message = String(this.#calls.GetErrorMessage(status)).replaceAll('\n', ' ').trim()
    this.#calls.ReleaseStatus(status)
    throw new ServiceError('engine_failure', `ONNX Runtime: ${message}`)
  }
}
