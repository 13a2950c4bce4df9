/** Which Kubernetes and etcd the bed runs, and where the published binaries of them are. */

export const kubernetesVersion = 'v1.36.3';

/** The modules k8s.io/api and the like carry 0.x where Kubernetes carries 1.x. */
export const stagingVersion = kubernetesVersion.replace(/^v1\./, 'v0.');

export const etcdVersion = 'v3.6.16';

/** What a Go module file has to say; the modules above ask for this much. */
export const goVersion = '1.26.0';

/**
 * The archives that controller-tools publishes for tests. Not every patch release gets one: the newest of this minor
 * stands in (`/version` tells which one runs). SHA-512 as listed in that project's envtest-releases.yaml.
 */
export const envtest = {
  version: 'v1.36.2',
  sha512: {
    'darwin-amd64':
      'b4fe9f973cd1992e3880f8b230ed32c0c243b83371591e3e3315f4404df2cdbef8ee94eeb9bb245b7e5feb987d5c4a76c43e0877654ab73f00d7bbc2b9984514',
    'darwin-arm64':
      '9278f9e5af556b2f1f2d139769c1f0d717c7b4426917fdebdba898bcb725a916e4910d6160886194ff9be9589ea7c5c32c2b8ae0754703874b7c8ba8ddfc41ce',
    'linux-amd64':
      'ea743186c8a799f5cf8faf16969f86189d003cb7d130e0ac4b58789f1e5748dcf30ebe91c837a10d5ac415383da3e10b9e64d65785c938c23e739781cfb76f08',
    'linux-arm64':
      '2d72ee985a8e262a3c57dc9f7f0fd891f6a8c7bf7ebaa2db6dc6d8eac8ae28181afe51c1f368b67756cdb40b10de9b205609e1726e5f27f7c6d824dd9c6649ac',
  },
} as const;

export type EnvtestPlatform = keyof typeof envtest.sha512;

export function envtestUrl(platform: EnvtestPlatform): string {
  const { version } = envtest;
  return `https://github.com/kubernetes-sigs/controller-tools/releases/download/envtest-${version}/envtest-${version}-${platform}.tar.gz`;
}
