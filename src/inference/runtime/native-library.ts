import { createRequire } from 'node:module'
import { arch, platform } from 'node:process'
import koffi, { type LibraryHandle } from 'koffi'
import { ServiceError } from '../contract/errors.ts'

/**
 * ONNX Runtime recurses deeply while it loads and runs a graph; koffi's own stacks are smaller. Pages are used on touch
 * only.
 */
const NATIVE_STACK_BYTES = 8 * 1024 * 1024

/** As onnxruntime-node ships them. */
const FILE_NAMES: Partial<Record<NodeJS.Platform, string>> = {
  linux: 'libonnxruntime.so.1',
  darwin: 'libonnxruntime.1.dylib',
  win32: 'onnxruntime.dll'
}

/** Libraries that are never unloaded: the process dies if the collector frees one whose functions are still called. */
const kept: LibraryHandle[] = []
Reflect.set(globalThis, Symbol.for('everstream.nativeLibraries'), kept)

let isConfigured = false

/**
 * A library of the system, by name; null is the C library that is already part of this process (not on Windows).
 *
 * @throws {Error} there is no such library
 */
export function loadLibrary(path: string | null): LibraryHandle {
  if (!isConfigured) {
    koffi.config({ sync_stack_size: NATIVE_STACK_BYTES, async_stack_size: NATIVE_STACK_BYTES })
    isConfigured = true
  }
  const library = koffi.load(path)
  kept.push(library)
  return library
}

/**
 * The shared library that the npm package onnxruntime-node ships for this machine. Its telemetry is turned off first,
 * for the whole process: it would keep a database in the user's cache folder and a log in the temporary folder, and
 * send events.
 *
 * @throws {ServiceError} `unavailable` where it ships none
 */
export function loadOnnxRuntime(): LibraryHandle {
  const name = FILE_NAMES[platform]
  if (name === undefined) throw new ServiceError('unavailable', `ONNX Runtime runs on Linux, macOS and Windows; this is ${platform}`)
  // biome-ignore lint/style/noProcessEnv: ONNX Runtime can be told in no other way
  process.env['ORT_DISABLE_TELEMETRY'] = '1'
  try {
    const manifest = createRequire(import.meta.url).resolve('onnxruntime-node/package.json')
    return loadLibrary(manifest.replace(/package\.json$/, `bin/napi-v6/${platform}/${arch}/${name}`))
  } catch (cause) {
    throw new ServiceError('unavailable', `ONNX Runtime cannot be loaded on ${platform} ${arch}; install again with npm ci`, { cause })
  }
}
