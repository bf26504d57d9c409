import { fork } from 'node:child_process'
import { ModelFileError } from '../../weights/model-file-error.ts'
import { MeasureMessage, type MeasureTask } from './measure-task.ts'

type ResultOf<Kind extends MeasureTask['kind']> = Extract<MeasureMessage, { kind: Kind }>

/**
 * Measures in a process of its own, so that neither ONNX Runtime nor the memory of its sessions stays in this one.
 *
 * @throws {ModelFileError} the model cannot be run, or its tokenizer cannot be read
 */
export async function measure<Kind extends MeasureTask['kind']>(task: Extract<MeasureTask, { kind: Kind }>): Promise<ResultOf<Kind>> {
  const child = fork(new URL('./measure-process.ts', import.meta.url), [JSON.stringify(task)], {
    stdio: ['ignore', 'ignore', 'inherit', 'ipc']
  })
  const message = await new Promise<MeasureMessage>((resolve, reject) => {
    child.once('message', received => resolve(MeasureMessage.parse(received)))
    child.once('error', reject)
    child.once('close', (code, signal) => {
      reject(new ModelFileError(`${task.graphPath}: the measurement of the graph ended with ${signal ?? `exit code ${code}`}`))
    })
  }).finally(() => child.kill('SIGKILL'))
  if (message.kind === 'failed') throw new ModelFileError(`${task.sourcePath} cannot be measured: ${message.message}`)
  return message as ResultOf<Kind>
}
