import koffi, { type LibraryHandle } from 'koffi'

/**
 * ONNX Runtime recurses deeply while it loads and runs a graph; koffi's default stacks are smaller. Pages of a stack
 * take memory only once they are touched.
 */
const NATIVE_STACK_BYTES = 8 * 1024 * 1024

/**
 * Libraries that are never unloaded: if the garbage collector frees a library whose functions are still called, the
 * process crashes.
 */
const loaded: LibraryHandle[] = []
Reflect.set(globalThis, Symbol.for('everstream.nativeLibraries'), loaded)

let isConfigured = false

/**
 * Loads a system library by name; null is the C library that is already part of this process (not on Windows).
 *
 * @throws {Error} there is no such library
 */
export function loadLibrary(path: string | null): LibraryHandle {
  if (!isConfigured) {
    koffi.config({ sync_stack_size: NATIVE_STACK_BYTES, async_stack_size: NATIVE_STACK_BYTES })
    isConfigured = true
  }
  const library = koffi.load(path)
  loaded.push(library)
  return library
}
