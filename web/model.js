// The model: three networks in onnxruntime-web, on the graphics card where the browser can use it.

const PARTS = ["detector", "encoder", "painter"];

// Loads the networks. The result tells which processor they run on.
export async function loadModel() {
  if (await navigator.gpu?.requestAdapter().catch(() => null)) {
    try {
      return await loadNetworks("webgpu", "graphics card");
    } catch (error) {
      console.warn("The graphics card cannot run the model.", error);
    }
  }
  return loadNetworks("wasm", "processor");
}

async function loadNetworks(provider, device) {
  const ort = await import(`./onnxruntime/ort.${provider}.min.mjs`);
  // Several threads need memory that they share, which browsers grant to isolated pages only.
  ort.env.wasm.numThreads = crossOriginIsolated ? navigator.hardwareConcurrency : 1;
  const networks = {};
  for (const part of PARTS) {
    networks[part] = await ort.InferenceSession.create(`model-${part}.onnx`, {
      executionProviders: [provider],
    });
  }
  return new Model(ort, networks, device);
}

class Model {
  constructor(ort, networks, device) {
    this.device = device;
    [, this.height, this.width] = networks.encoder.inputMetadata[0].shape;
    this.networks = networks;
    this.ort = ort;
    this.canvas = new OffscreenCanvas(this.width, this.height);
    this.context = this.canvas.getContext("2d", { willReadFrequently: true });
  }

  // Cuts the middle out of a picture or a video, and brings it to the model's size.
  tensor(element) {
    const width = element.videoWidth || element.naturalWidth;
    const height = element.videoHeight || element.naturalHeight;
    const scale = Math.min(width / this.width, height / this.height);
    const [w, h] = [this.width * scale, this.height * scale];
    this.context.drawImage(
      element, (width - w) / 2, (height - h) / 2, w, h, 0, 0, this.width, this.height,
    );
    const { data } = this.context.getImageData(0, 0, this.width, this.height);
    const colours = new Uint8Array((data.length / 4) * 3);
    for (let from = 0, to = 0; from < data.length; from += 4) {
      colours[to++] = data[from];
      colours[to++] = data[from + 1];
      colours[to++] = data[from + 2];
    }
    return new this.ort.Tensor("uint8", colours, [1, this.height, this.width, 3]);
  }

  // Finds the keypoints of a frame, as inputs of the painter.
  async detect(role, frames) {
    const motion = await this.networks.detector.run({ frames });
    return Object.fromEntries(
      Object.entries(motion).map(([name, value]) => [`${role}_motion_${name}`, value]),
    );
  }

  // Computes once what an animation needs of its picture.
  async encode(picture) {
    const source = this.tensor(picture);
    const encoded = await this.networks.encoder.run({ source });
    return { source, ...encoded, ...(await this.detect("source", source)) };
  }

  // Paints the encoded picture in a pose, relative to the pose that counts as the picture's own.
  async paint(encoded, initial, driving) {
    const { frames } = await this.networks.painter.run({ ...encoded, ...initial, ...driving });
    const colours = await frames.getData();
    const image = this.context.createImageData(this.width, this.height);
    for (let from = 0, to = 0; from < colours.length; to += 4) {
      image.data.set([colours[from++], colours[from++], colours[from++], 255], to);
    }
    return createImageBitmap(image);
  }
}
