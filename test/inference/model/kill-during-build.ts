import { prepareModel } from '../../../src/inference/model/prepare-model.ts'

/** Run as a process of its own: dies as hard as a process can, half way through a build. */
const [path = '', cacheFolder = ''] = process.argv.slice(2)
await prepareModel({
  path,
  cacheFolder,
  quantization: 'none',
  onProgress: fraction => {
    if (fraction > 0.6) process.kill(process.pid, 'SIGKILL')
  }
})
