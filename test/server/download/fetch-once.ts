import { fetchModel } from '../../../src/server/download/fetch-model.ts'

/**
 * A process that fetches a model and can be killed: its argument is JSON; every line of output is a count of bytes that
 * are on the disk.
 */
const { model, modelsFolder, network } = JSON.parse(process.argv[2] ?? '')
const reporter = {
  line: () => {},
  problem: () => {},
  progress: () => ({ update: (bytes: number) => console.log(bytes), end: () => {} })
}
await fetchModel(model, { modelsFolder, network, reporter, signal: new AbortController().signal })
