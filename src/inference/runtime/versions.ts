import koffi from 'koffi'
import { loadOnnxRuntime } from './native-library.ts'
import type { Address } from './paged-memory.ts'

export interface RuntimeVersions {
  readonly onnxRuntime: string
  readonly koffi: string
}

/**
 * Loads ONNX Runtime and asks it.
 *
 * @throws {ServiceError} `unavailable` where it cannot be loaded
 */
export function runtimeVersions(): RuntimeVersions {
  const base: Address = BigInt(loadOnnxRuntime().func('OrtGetApiBase', 'intptr_t', [])())
  // struct OrtApiBase { GetApi; GetVersionString }
  const getVersion: Address = BigInt(koffi.decode(base + BigInt(koffi.sizeof('intptr_t')), 'intptr_t'))
  return { onnxRuntime: String(koffi.call(getVersion, koffi.proto('const char * ()'))), koffi: koffi.version }
}
