import { errorMessage } from '../error-facts.ts'
import { type Finding, ok, problem } from './finding.ts'

/** Checks Node and the native libraries. */
export async function checkRuntime(): Promise<readonly Finding[]> {
  const node = ok('Node', `${process.versions.node} on ${process.platform} ${process.arch}`)
  try {
    // Imported on demand, as the native libraries may fail to load.
    const { runtimeVersions } = await import('../../inference/runtime/native/ort-library.ts')
    const { onnxRuntime, koffi } = runtimeVersions()
    return [node, ok('ONNX Runtime', `${onnxRuntime}, loaded with koffi ${koffi}`)]
  } catch (error) {
    return [node, problem('ONNX Runtime', errorMessage(error), 'npm ci')]
  }
}
