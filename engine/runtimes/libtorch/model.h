// The two kinds of models the program runs, behind one face.
#pragma once

#include <torch/csrc/inductor/aoti_package/model_package_loader.h>
#include <torch/csrc/jit/runtime/graph_executor.h>
#include <torch/script.h>

#include <memory>
#include <string>
#include <vector>

struct Model {
  virtual ~Model() = default;
  virtual c10::IValue call(const std::vector<c10::IValue>& inputs) = 0;
};

struct Script : Model {
  Script(const std::string& path, at::Device device) : module(torch::jit::load(path, device)) {
    // Frozen scripts have no `training` attribute and are in eval mode already.
    if (module.hasattr("training")) module.eval();
  }

  c10::IValue call(const std::vector<c10::IValue>& inputs) override { return module.forward(inputs); }

  torch::jit::Module module;
};

struct Package : Model {
  Package(const std::string& path, at::Device device)
      : loader(path, "model", false, 1, device.is_cuda() ? device.index() : c10::DeviceIndex(-1)) {}

  // Constants were compiled in; only tensors are passed.
  c10::IValue call(const std::vector<c10::IValue>& inputs) override {
    std::vector<at::Tensor> tensors;
    for (const auto& each : inputs)
      if (each.isTensor()) tensors.push_back(each.toTensor());
    return loader.run(tensors);
  }

  torch::inductor::AOTIModelPackageLoader loader;
};

inline std::unique_ptr<Model> open_model(const std::string& kind, const std::string& path, at::Device device) {
  if (kind == "package") return std::make_unique<Package>(path, device);
  return std::make_unique<Script>(path, device);
}

// Every tensor of a nested output (tuples, lists, dicts), in order; numbers become tensors.
inline void flatten(const c10::IValue& value, std::vector<at::Tensor>& found) {
  if (value.isTensor()) {
    found.push_back(value.toTensor());
  } else if (value.isTuple()) {
    for (const auto& each : value.toTupleRef().elements()) flatten(each, found);
  } else if (value.isList()) {
    for (const auto& each : value.toListRef()) flatten(each, found);
  } else if (value.isGenericDict()) {
    for (const auto& each : value.toGenericDict()) flatten(each.value(), found);
  } else if (value.isBool()) {
    found.push_back(at::scalar_tensor(value.toBool(), at::kBool));
  } else if (value.isInt()) {
    found.push_back(at::scalar_tensor(value.toInt(), at::kLong));
  } else if (value.isDouble()) {
    found.push_back(at::scalar_tensor(value.toDouble(), at::kFloat));
  }
}
