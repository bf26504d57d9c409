import koffi from 'koffi'
import { openApiBase } from './api-base.ts'

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
  return { onnxRuntime: String(koffi.call(openApiBase().getVersionString, koffi.proto('const char * ()'))), koffi: koffi.version }
}
