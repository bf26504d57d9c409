import { createRequire } from 'node:module'
import { arch, platform } from 'node:process'
import koffi, { type LibraryHandle } from 'koffi'
import { ServiceError } from '../../contract/errors.ts'
import type { Address } from '../memory/paged-memory.ts'
import { loadLibrary } from './native-library.ts'

/** File names in the package onnxruntime-node. */
const FILE_NAMES: Partial<Record<NodeJS.Platform, string>> = {
  linux: 'libonnxruntime.so.1',
  darwin: 'libonnxruntime.1.dylib',
  win32: 'onnxruntime.dll'
}

/** The two functions of `struct OrtApiBase`, the library's only exported entry. */
interface ApiBase {
  readonly getApi: Address
  readonly getVersionString: Address
}

export interface RuntimeVersions {
  readonly onnxRuntime: string
  readonly koffi: string
}

/** @throws {ServiceError} `unavailable` where there is no library for this machine */
export function openApiBase(): ApiBase {
  const base: Address = BigInt(loadOnnxRuntime().func('OrtGetApiBase', 'intptr_t', [])())
  const member = (index: number): Address => BigInt(koffi.decode(base + BigInt(index * koffi.sizeof('intptr_t')), 'intptr_t'))
  return { getApi: member(0), getVersionString: member(1) }
}

/** Loads ONNX Runtime. @throws {ServiceError} `unavailable` where it cannot be loaded */
export function runtimeVersions(): RuntimeVersions {
  return { onnxRuntime: String(koffi.call(openApiBase().getVersionString, koffi.proto('const char * ()'))), koffi: koffi.version }
}

/**
 * The shared library that the npm package onnxruntime-node contains for this machine. Its telemetry is disabled first,
 * for the whole process: it would keep a database in the user's cache folder and a log in the temporary folder, and
 * send events.
 */
function loadOnnxRuntime(): LibraryHandle {
  const name = FILE_NAMES[platform]
  if (name === undefined) throw new ServiceError('unavailable', `ONNX Runtime supports Linux, macOS and Windows; this is ${platform}`)
  // biome-ignore lint/style/noProcessEnv: ONNX Runtime reads this setting from the environment only
  process.env['ORT_DISABLE_TELEMETRY'] = '1'
  try {
    const manifest = createRequire(import.meta.url).resolve('onnxruntime-node/package.json')
    return loadLibrary(manifest.replace(/package\.json$/, `bin/napi-v6/${platform}/${arch}/${name}`))
  } catch (cause) {
    throw new ServiceError('unavailable', `ONNX Runtime cannot be loaded on ${platform} ${arch}; reinstall with npm ci`, { cause })
  }
}
