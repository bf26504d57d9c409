import { type Finding, ok, problem, reasonOf } from './finding.ts'

/** Node, and the native code that computes. */
export async function checkRuntime(): Promise<readonly Finding[]> {
  const node = ok('Node', `${process.versions.node} on ${process.platform} ${process.arch}`)
  try {
    // What is examined may not load at all.
    const { runtimeVersions } = await import('../../inference/runtime/native/ort-library.ts')
    const { onnxRuntime, koffi } = runtimeVersions()
    return [node, ok('ONNX Runtime', `${onnxRuntime} loads, through koffi ${koffi}`)]
  } catch (error) {
    return [node, problem('ONNX Runtime', reasonOf(error), 'npm ci')]
  }
}
