// Drives the official JavaScript client: node node_client.mjs MODULE OPERATION NAMESPACE. Reads commands for the test
// on stdin where it must wait for it, and prints one JSON line for each thing that it sees.
import { createInterface } from 'node:readline';
import { pathToFileURL } from 'node:url';

const [module, operation, namespace] = process.argv.slice(2);
const k8s = await import(pathToFileURL(module).href);
const config = new k8s.KubeConfig();
config.loadFromDefault();
const core = config.makeApiClient(k8s.CoreV1Api);
const objects = config.makeApiClient(k8s.CustomObjectsApi);
const ours = { group: 'ocim.opencraft.com', version: 'v1alpha1', plural: 'dnsrecords', namespace };
const say = (value) => process.stdout.write(JSON.stringify(value) + '\n');

const record = (name, spec = {}) => ({
  apiVersion: 'ocim.opencraft.com/v1alpha1', kind: 'DNSRecord', metadata: { name },
  spec: { zoneRef: { name: 'example' }, name: `${name}.example.org`, type: 'A', values: ['192.0.2.1'], ...spec },
});

// What an informer saw, until the test says to stop.
async function inform(path, list, selector) {
  const informer = k8s.makeInformer(config, path, list, selector);
  for (const event of ['add', 'update', 'delete'])
    informer.on(event, (object) => say([event, object.metadata.name, object.data?.a ?? object.spec?.ttlSeconds]));
  informer.on('connect', () => say(['connected']));
  let stopped = false;
  informer.on('error', (error) => {
    say(['error', String(error.code ?? error.statusCode ?? error)]);
    // as the client's documentation says: whoever wants to go on starts it again
    if (!stopped) setTimeout(() => informer.start().catch(() => {}), 200);
  });
  await informer.start();
  for await (const line of createInterface({ input: process.stdin })) {
    if (line === 'stop') break;
    say(['listed', informer.list().map((object) => object.metadata.name).sort()]);
  }
  stopped = true;
  await informer.stop();
}

const operations = {
  async builtIn() {
    const made = await core.createNamespacedConfigMap({ namespace, body: { metadata: { name: 'js' }, data: { a: '1' } } });
    made.data = { a: '2' };
    const changed = await core.replaceNamespacedConfigMap({ name: 'js', namespace, body: made });
    const conflict = await core.replaceNamespacedConfigMap({ name: 'js', namespace, body: made }).catch((e) => e.code);
    const patch = [{ op: 'add', path: '/data/b', value: '3' }];
    const patched = await core.patchNamespacedConfigMap({ name: 'js', namespace, body: patch });
    await core.deleteNamespacedConfigMap({ name: 'js', namespace });
    const absent = await core.readNamespacedConfigMap({ name: 'js', namespace }).catch((e) => e.code);
    say([changed.data, conflict, patched.data, absent]);
  },
  async custom() {
    await objects.createNamespacedCustomObject({ ...ours, body: record('js') });
    const patch = [{ op: 'replace', path: '/spec/ttlSeconds', value: 61 }];
    const patched = await objects.patchNamespacedCustomObject({ ...ours, name: 'js', body: patch });
    const wrong = await objects.createNamespacedCustomObject({ ...ours, body: record('wrong', { type: 'X' }) })
      .catch((e) => e.code);
    const listed = await objects.listNamespacedCustomObject({ ...ours });
    await objects.deleteNamespacedCustomObject({ ...ours, name: 'js' });
    say([patched.spec.ttlSeconds, wrong, listed.items.map((item) => item.metadata.name).includes('js')]);
  },
  async apply() {
    const api = k8s.KubernetesObjectApi.makeApiClient(config);
    const body = record('applied');
    body.metadata.namespace = namespace;
    const made = await api.patch(body, undefined, undefined, 'js', true, k8s.PatchStrategy.ServerSideApply);
    const read = await api.read({ apiVersion: body.apiVersion, kind: body.kind, metadata: body.metadata });
    say([made.metadata.managedFields[0].manager, read.spec.ttlSeconds]);
  },
  async watch() {
    const seen = [];
    const start = (await core.listNamespacedConfigMap({ namespace })).metadata.resourceVersion;
    let request;
    const done = new Promise((resolve) => {
      request = new k8s.Watch(config).watch(`/api/v1/namespaces/${namespace}/configmaps`, { resourceVersion: start },
        (type, object) => { seen.push([type, object.metadata.name]); if (type === 'DELETED') resolve(); },
        () => resolve());
    });
    const controller = await request;
    await core.createNamespacedConfigMap({ namespace, body: { metadata: { name: 'seen' }, data: { a: '1' } } });
    await core.deleteNamespacedConfigMap({ name: 'seen', namespace });
    await done;
    controller.abort();
    say(seen);
  },
  informBuiltIn: () => inform(`/api/v1/namespaces/${namespace}/configmaps`,
    () => core.listNamespacedConfigMap({ namespace, labelSelector: 'informed=yes' }), 'informed=yes'),
  informOurs: () => inform(`/apis/${ours.group}/${ours.version}/namespaces/${namespace}/${ours.plural}`,
    () => objects.listNamespacedCustomObject(ours)),
};

await operations[operation]();
process.exit(0); // keep-alive connections would hold it for a while
