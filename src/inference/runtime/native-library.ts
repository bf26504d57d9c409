import { createRequire } from 'node:module'
import { arch, platform } from 'node:process'
import koffi, { type LibraryHandle } from 'koffi'
import { ServiceError } from '../contract/errors.ts'

/** ONNX Runtime recurses deeply while it loads and runs a graph; koffi's own stacks hold 2 MiB and 128 KiB. */
const NATIVE_STACK_BYTES = 8 * 1024 * 1024

const FILE_NAMES: Partial<Record<NodeJS.Platform, string>> = { linux: 'libonnxruntime.so.1', darwin: 'libonnxruntime.1.dylib' }

/** Libraries that are never unloaded: the process dies if the collector frees one whose functions are still called (measured: see notes on koffi). */
const kept: LibraryHandle[] = []
Reflect.set(globalThis, Symbol.for('everstream.nativeLibraries'), kept)

let isConfigured = false

function load(path: string | null): LibraryHandle {
  if (!isConfigured) {
    koffi.config({ sync_stack_size: NATIVE_STACK_BYTES, async_stack_size: NATIVE_STACK_BYTES })
    isConfigured = true
  }
  const library = koffi.load(path)
  kept.push(library)
  return library
}

/**
 * The shared library that the npm package onnxruntime-node ships for this machine.
 *
 * @throws {ServiceError} `unavailable` where it ships none
 */
export function loadOnnxRuntime(): LibraryHandle {
  const name = FILE_NAMES[platform]
  if (name === undefined) {
    throw new ServiceError('unavailable', `ONNX Runtime is used on Linux and macOS; this is ${platform} (on Windows, run it under WSL)`)
  }
  const path = createRequire(import.meta.url)
    .resolve(`onnxruntime-node/package.json`)
    .replace('package.json', `bin/napi-v6/${platform}/${arch}/${name}`)
  try {
    return load(path)
  } catch (cause) {
    throw new ServiceError('unavailable', `ONNX Runtime cannot be loaded on ${platform} ${arch}; install again with npm ci`, { cause })
  }
}

/** The C library, already part of this process. */
export function loadSystemLibrary(): LibraryHandle {
  return load(null)
}
