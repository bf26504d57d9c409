import { thisMachine } from './machine.ts'
import { measureOverHttp } from './relay/over-http.ts'
import { measurePrefix } from './relay/prefix.ts'
import { parseRelayOptions, RELAY_HELP, type RelayOptions } from './relay/relay-options.ts'
import { measureIdle, measureRelay } from './relay/relay-parts.ts'

/** `npm run load:relay`: the cost of the path from the engine to the reader. */
const options = optionsOrExit()
const machine = thisMachine()
const report: Record<string, unknown> = {}
const measures = { engine: measureOverHttp, prefix: measurePrefix, relay: measureRelay, idle: measureIdle }
for (const [part, measure] of Object.entries(measures)) {
  if (!options.parts.includes(part)) continue
  report[part] = await measure(options)
  console.log(`${part}: ${JSON.stringify(report[part])}`)
}
console.log(
  JSON.stringify({
    tool: 'relay',
    date: new Date().toISOString(),
    machine,
    loadAverageAtEnd: thisMachine().loadAverage,
    queue: options.queue,
    ...report
  })
)

function optionsOrExit(): RelayOptions {
  try {
    const parsed = parseRelayOptions(process.argv.slice(2))
    if (parsed !== null) return parsed
    console.log(RELAY_HELP)
    process.exit(0)
  } catch (error) {
    console.error(`${error instanceof Error ? error.message : error}\n\n${RELAY_HELP}`)
    process.exit(2)
  }
}
