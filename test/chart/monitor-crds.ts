// The part of the Prometheus operator's CRDs that the chart uses, so that an API server can judge what is rendered.
import type { Manifest } from './helm.ts';

const string = { type: 'string' };
const strings = { type: 'object', additionalProperties: string };
const duration = {
  ...string,
  pattern: String.raw`^(0|(([0-9]+)y)?(([0-9]+)w)?(([0-9]+)d)?(([0-9]+)h)?(([0-9]+)m)?(([0-9]+)s)?(([0-9]+)ms)?)$`,
};
const relabelings = {
  type: 'array',
  items: {
    type: 'object',
    properties: {
      action: string,
      regex: string,
      replacement: string,
      separator: string,
      sourceLabels: { type: 'array', items: string },
      targetLabel: string,
    },
  },
};
const endpoint = {
  type: 'object',
  properties: {
    port: string,
    path: string,
    interval: duration,
    scrapeTimeout: duration,
    relabelings,
    metricRelabelings: relabelings,
  },
};

const rule = {
  type: 'object',
  required: ['expr'],
  properties: {
    alert: string,
    record: string,
    expr: { 'x-kubernetes-int-or-string': true },
    for: duration,
    labels: strings,
    annotations: strings,
  },
};
const group = {
  type: 'object',
  required: ['name'],
  properties: { name: string, interval: duration, rules: { type: 'array', items: rule } },
};

const crd = (kind: string, spec: object): Manifest => ({
  apiVersion: 'apiextensions.k8s.io/v1',
  kind: 'CustomResourceDefinition',
  metadata: { name: `${kind.toLowerCase()}s.monitoring.coreos.com` },
  spec: {
    group: 'monitoring.coreos.com',
    scope: 'Namespaced',
    names: { kind, plural: `${kind.toLowerCase()}s`, singular: kind.toLowerCase() },
    versions: [
      {
        name: 'v1',
        served: true,
        storage: true,
        schema: {
          openAPIV3Schema: {
            type: 'object',
            required: ['spec'],
            properties: { spec: { type: 'object', ...spec } },
          },
        },
      },
    ],
  },
});
const monitor = (endpoints: string) => ({
  required: ['selector', endpoints],
  properties: {
    selector: { type: 'object', properties: { matchLabels: strings } },
    [endpoints]: { type: 'array', items: endpoint },
  },
});

export const monitorCRDs: readonly Manifest[] = [
  crd('ServiceMonitor', monitor('endpoints')),
  crd('PodMonitor', monitor('podMetricsEndpoints')),
  crd('PrometheusRule', { properties: { groups: { type: 'array', items: group } } }),
];
