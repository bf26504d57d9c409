import { prepareModel } from '../../../src/inference/model/prepare-model.ts'

/** Run in a separate process: kills itself with SIGKILL in the middle of a build. */
const [path = '', cacheFolder = ''] = process.argv.slice(2)
await prepareModel({
  path,
  cacheFolder,
  quantization: 'none',
  onProgress: ({ step, doneBytes, totalBytes }) => {
    if (step === 'build' && doneBytes > totalBytes / 2) process.kill(process.pid, 'SIGKILL')
  }
})
