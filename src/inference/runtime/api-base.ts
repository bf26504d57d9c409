import koffi from 'koffi'
import { loadOnnxRuntime } from './native-library.ts'
import type { Address } from './paged-memory.ts'

/** The two functions of `struct OrtApiBase`, the library's only exported entry. */
export interface ApiBase {
  readonly getApi: Address
  readonly getVersionString: Address
}

/** @throws {ServiceError} `unavailable` where there is no library that serves us */
export function openApiBase(): ApiBase {
  const base: Address = BigInt(loadOnnxRuntime().func('OrtGetApiBase', 'intptr_t', [])())
  const member = (index: number): Address => BigInt(koffi.decode(base + BigInt(index * koffi.sizeof('intptr_t')), 'intptr_t'))
  return { getApi: member(0), getVersionString: member(1) }
}
