import { parseStreamOptions, STREAM_HELP, type StreamOptions } from './stream/stream-options.ts'
import { streamRun } from './stream/stream-run.ts'

/** `npm run load`: options in, progress out, JSON last. The first Ctrl-C ends the load early and still reports. */
const options = optionsOrExit()
const stop = new AbortController()
process.once('SIGINT', () => stop.abort())

try {
  const report = await streamRun(options, stop.signal, line => console.log(line))
  console.log(JSON.stringify(report))
  process.exitCode = report.passed ? 0 : 1
} catch (error) {
  console.error(error instanceof Error ? error.message : error)
  process.exitCode = 1
}

function optionsOrExit(): StreamOptions {
  try {
    const parsed = parseStreamOptions(process.argv.slice(2))
    if (parsed !== null) return parsed
    console.log(STREAM_HELP)
    process.exit(0)
  } catch (error) {
    console.error(`${error instanceof Error ? error.message : error}\n\n${STREAM_HELP}`)
    process.exit(2)
  }
}
