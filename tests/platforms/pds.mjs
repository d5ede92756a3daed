// A real PDS (the reference implementation, @atproto/pds) with its directory of identities, both in memory
// or a temporary folder; its stream of repositories, read by @atproto/sync, goes to stdout as Jetstream lines.
// Run by pds.py, which names the folder that holds node_modules.
import { createRequire } from 'node:module'
import { randomBytes } from 'node:crypto'
import { pathToFileURL } from 'node:url'

const require = createRequire(pathToFileURL(process.argv[2] + '/'))
const load = async (name) => import(pathToFileURL(require.resolve(name)).href)
const { Database, PlcServer } = require('@did-plc/server')
const { PDS, envToCfg, envToSecrets, readEnv } = await load('@atproto/pds')
const { Firehose } = await load('@atproto/sync')
const { lexToJson } = await load('@atproto/lex-json')

const [folder, pdsPort, plcPort] = [process.argv[3], process.argv[4], process.argv[5]]
await PlcServer.create({ db: Database.mock(), port: Number(plcPort) }).start()

Object.assign(process.env, {
  PDS_PORT: pdsPort,
  PDS_HOSTNAME: 'localhost',
  PDS_DEV_MODE: '1',
  PDS_DATA_DIRECTORY: folder,
  PDS_BLOBSTORE_DISK_LOCATION: folder + '/blobs',
  PDS_DID_PLC_URL: `http://localhost:${plcPort}`,
  PDS_INVITE_REQUIRED: 'false',
  PDS_SERVICE_HANDLE_DOMAINS: '.test',
  PDS_ADMIN_PASSWORD: 'admin',
  PDS_JWT_SECRET: randomBytes(16).toString('hex'),
  PDS_PLC_ROTATION_KEY_K256_PRIVATE_KEY_HEX: randomBytes(32).toString('hex'),
})
const env = readEnv()
const pds = await PDS.create(envToCfg(env), envToSecrets(env))
await pds.start()

let time_us = 0
const tell = (did, kind, fields) => {
  time_us = Math.max(Date.now() * 1000, time_us + 1)
  process.stdout.write(JSON.stringify({ did, time_us, kind, ...fields }) + '\n')
}
const firehose = new Firehose({
  service: `ws://localhost:${pdsPort}`,
  // To check signatures and handles its resolver insists on https, which a directory on this machine has not.
  unauthenticatedCommits: true,
  excludeIdentity: true,
  getCursor: () => 0,
  onError: (error) => process.stderr.write(`${error}: ${error.cause}\n`),
  handleEvent: (event) => {
    const { did, seq, time } = event
    if (event.event === 'account') {
      const { active, status } = event
      return tell(did, 'account', { account: { active, did, seq, time, ...(status ? { status } : {}) } })
    }
    if (event.event === 'sync') return // version 1 does not tell
    const { rev, collection, rkey } = event
    const commit = { rev, operation: event.event, collection, rkey }
    if (event.record) Object.assign(commit, { record: lexToJson(event.record), cid: event.cid.toString() })
    tell(did, 'commit', { commit })
  },
})
firehose.start()
process.stderr.write('ready\n')
process.stdin.on('end', () => process.exit(0)).resume()
