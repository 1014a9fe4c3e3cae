// Messages between the program and the session that started it: lines of text, and raw tensor bytes.
//
//   value   tensor DTYPE RANK SIZE...\n<bytes>  |  int N\n  |  float X\n  |  bool 0|1\n
//   answer  ok [WORDS]\n  |  error KIND MESSAGE\n
#pragma once

#include <torch/torch.h>

#include <cstdio>
#include <sstream>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

namespace wire {

struct Closed : std::runtime_error {
  Closed() : std::runtime_error("the pipe was closed") {}
};

inline const std::vector<std::pair<std::string, at::ScalarType>>& dtypes() {
  static const std::vector<std::pair<std::string, at::ScalarType>> known = {
      {"float32", at::kFloat},  {"float64", at::kDouble}, {"float16", at::kHalf},   {"bfloat16", at::kBFloat16},
      {"int8", at::kChar},      {"int16", at::kShort},    {"int32", at::kInt},      {"int64", at::kLong},
      {"uint8", at::kByte},     {"uint16", at::kUInt16},  {"uint32", at::kUInt32},  {"uint64", at::kUInt64},
      {"bool", at::kBool},      {"complex64", at::kComplexFloat}};
  return known;
}

inline at::ScalarType dtype_of(const std::string& name) {
  for (const auto& [known, type] : dtypes())
    if (known == name) return type;
  throw std::invalid_argument("unknown dtype " + name);
}

inline std::string name_of(at::ScalarType type) {
  for (const auto& [name, known] : dtypes())
    if (known == type) return name;
  throw std::invalid_argument(std::string("outputs of type ") + c10::toString(type) + " can't be sent");
}

// The tensor as it can be sent: on the host, contiguous, of a known type.
inline at::Tensor sendable(const at::Tensor& given) {
  auto plain = given.is_quantized() ? given.dequantize() : given.detach();
  name_of(plain.scalar_type());
  return plain.to(at::kCPU).contiguous();
}

class Pipe {
 public:
  Pipe(FILE* in, FILE* out) : in_(in), out_(out) {}

  std::string line() {
    std::string text;
    for (int character; (character = std::fgetc(in_)) != '\n';) {
      if (character == EOF) throw Closed();
      text.push_back(static_cast<char>(character));
    }
    return text;
  }

  void read(void* data, size_t bytes) {
    if (std::fread(data, 1, bytes, in_) != bytes) throw Closed();
  }

  void write(const void* data, size_t bytes) { std::fwrite(data, 1, bytes, out_); }

  void say(const std::string& text) {
    write(text.data(), text.size());
    std::fputc('\n', out_);
  }

  void flush() { std::fflush(out_); }

  // A tensor arrives on the host; where it lives is the caller's business.
  c10::IValue value() {
    std::istringstream words(line());
    std::string kind;
    words >> kind;
    if (kind == "int") return number<int64_t>(words);
    if (kind == "float") return number<double>(words);
    if (kind == "bool") return number<int64_t>(words) != 0;
    std::string dtype;
    size_t rank = 0;
    words >> dtype >> rank;
    std::vector<int64_t> sizes(rank);
    for (auto& size : sizes) words >> size;
    auto tensor = at::empty(sizes, at::TensorOptions().dtype(dtype_of(dtype)));
    read(tensor.data_ptr(), tensor.nbytes());
    return tensor;
  }

  void tensor(const at::Tensor& host) {
    std::string head = "tensor " + name_of(host.scalar_type()) + " " + std::to_string(host.dim());
    for (auto size : host.sizes()) head += " " + std::to_string(size);
    say(head);
    write(host.data_ptr(), host.nbytes());
  }

 private:
  template <typename T>
  static T number(std::istringstream& words) {
    T found{};
    words >> found;
    return found;
  }

  FILE* in_;
  FILE* out_;
};

}  // namespace wire
