import { fetchModel } from '../../../src/server/download/fetch-model.ts'

/**
 * A process that downloads a model and can be killed. Its argument is JSON; each line of output is the number of bytes
 * on the disk.
 */
const { model, modelsFolder, network } = JSON.parse(process.argv[2] ?? '')
const reporter = {
  line: () => {},
  problem: () => {},
  progress: () => ({ update: (bytes: number) => console.log(bytes), end: () => {} })
}
await fetchModel(model, { modelsFolder, network, reporter, signal: new AbortController().signal })
