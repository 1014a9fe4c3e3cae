// Runs a TorchScript file or an AOTInductor package with no Python interpreter.
//
// It reads commands on its standard input and answers each on its standard output:
//
//   load KIND DEVICE THREADS OPTIMIZE TF32 PATH   KIND is script or package; answers "ok SECONDS"
//   bind COUNT, then COUNT values                 inputs, kept on the device
//   run | synchronize | reset                     one inference, wait for all, load the model anew
//   fetch                                         "ok COUNT", then the outputs of the last inference
//   time COUNT                                    "ok", then COUNT latencies and COUNT enqueue times, int64 nanoseconds
//   end_to_end COUNT                              the same with inputs copied in and outputs copied out at each call
//   memory                                        "ok HOST DEVICE": peak bytes of the process and of the allocator
//   close
#include <ATen/Parallel.h>
#include <c10/core/CachingDeviceAllocator.h>
#include <c10/core/InferenceMode.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <unistd.h>

#include <chrono>

#include "model.h"
#include "wire.h"

namespace {

using Clock = std::chrono::steady_clock;

int64_t nanoseconds(Clock::duration passed) {
  return std::chrono::duration_cast<std::chrono::nanoseconds>(passed).count();
}

class Runner {
 public:
  explicit Runner(wire::Pipe pipe) : pipe_(pipe) {}

  // Carries out one command; false when it was the last.
  bool step() {
    std::istringstream words(pipe_.line());
    std::string command;
    words >> command;
    if (command == "close") return false;
    try {
      carry_out(command, words);
    } catch (const wire::Closed&) {
      throw;
    } catch (const c10::OutOfMemoryError& error) {
      refuse("memory", error.what_without_backtrace());
    } catch (const c10::Error& error) {
      refuse("torch", error.what_without_backtrace());
    } catch (const std::bad_alloc& error) {
      refuse("memory", error.what());
    } catch (const std::exception& error) {
      refuse("error", error.what());
    }
    pipe_.flush();
    return true;
  }

 private:
  void carry_out(const std::string& command, std::istringstream& words) {
    if (command == "load") load(words);
    else if (command == "bind") bind(count(words));
    else if (command == "run") { run(); pipe_.say("ok"); }
    else if (command == "synchronize") { synchronize(); pipe_.say("ok"); }
    else if (command == "reset") { model_.reset(); model_ = open_model(kind_, path_, device_); pipe_.say("ok"); }
    else if (command == "fetch") fetch();
    else if (command == "time") time(count(words), false);
    else if (command == "end_to_end") time(count(words), true);
    else if (command == "memory") memory();
    else throw std::invalid_argument("unknown command " + command);
  }

  void load(std::istringstream& words) {
    std::string device;
    int threads = 0, optimize = 1, tf32 = 0;
    words >> kind_ >> device >> threads >> optimize >> tf32 >> std::ws;
    std::getline(words, path_);
    device_ = at::Device(device);
    if (device_.is_cuda() && !torch::cuda::is_available()) throw std::runtime_error("LibTorch sees no NVIDIA GPU");
    at::set_num_threads(threads);
    at::globalContext().setAllowTF32CuBLAS(tf32 != 0);
    at::globalContext().setAllowTF32CuDNN(tf32 != 0);
    torch::jit::setGraphExecutorOptimize(optimize != 0);
    auto began = Clock::now();
    model_ = open_model(kind_, path_, device_);
    synchronize();
    pipe_.say("ok " + std::to_string(nanoseconds(Clock::now() - began) / 1e9));
  }

  // Buffers on the device are reused while shapes stay.
  void bind(size_t number) {
    host_.clear();
    try {
      for (size_t index = 0; index < number; ++index) host_.push_back(pipe_.value());
    } catch (const std::exception& error) {
      refuse("error", error.what());
      pipe_.flush();
      throw wire::Closed();  // what follows in the pipe can't be told apart any more
    }
    place();
    pipe_.say("ok");
  }

  void place() {
    inputs_.resize(host_.size());
    for (size_t index = 0; index < host_.size(); ++index) {
      auto& bound = inputs_[index];
      const auto& given = host_[index];
      bool fits = given.isTensor() && bound.isTensor() && bound.toTensor().sizes() == given.toTensor().sizes() &&
                  bound.toTensor().scalar_type() == given.toTensor().scalar_type();
      if (fits) bound.toTensor().copy_(given.toTensor());
      else bound = given.isTensor() ? c10::IValue(given.toTensor().to(device_, false, true)) : given;
    }
  }

  void run() {
    if (!model_) throw std::logic_error("no model is loaded");
    output_ = model_->call(inputs_);
  }

  void synchronize() {
    if (device_.is_cuda()) torch::cuda::synchronize(device_.index());
  }

  std::vector<at::Tensor> outputs() {
    std::vector<at::Tensor> found;
    flatten(output_, found);
    return found;
  }

  void fetch() {
    std::vector<at::Tensor> found;
    for (const auto& each : outputs()) found.push_back(wire::sendable(each));
    pipe_.say("ok " + std::to_string(found.size()));
    for (const auto& each : found) pipe_.tensor(each);
  }

  void time(size_t calls, bool copies) {
    std::vector<int64_t> latencies, enqueues;
    latencies.reserve(calls);
    enqueues.reserve(calls);
    synchronize();
    for (size_t index = 0; index < calls; ++index) {
      auto began = Clock::now();
      if (copies) place();
      auto placed = Clock::now();
      run();
      auto enqueued = Clock::now();
      synchronize();
      if (copies)
        for (const auto& each : outputs()) (void)each.to(at::kCPU);
      latencies.push_back(nanoseconds(Clock::now() - began));
      enqueues.push_back(nanoseconds(enqueued - placed));
    }
    pipe_.say("ok");
    pipe_.write(latencies.data(), calls * sizeof(int64_t));
    pipe_.write(enqueues.data(), calls * sizeof(int64_t));
  }

  void memory() {
    rusage usage{};
    getrusage(RUSAGE_SELF, &usage);
    int64_t device = 0;
    if (device_.is_cuda()) {
      auto stats = at::getDeviceAllocator(at::kCUDA)->getDeviceStats(device_.index());
      device = stats.allocated_bytes[static_cast<size_t>(c10::CachingAllocator::StatType::AGGREGATE)].peak;
    }
    pipe_.say("ok " + std::to_string(usage.ru_maxrss * 1024L) + " " + std::to_string(device));
  }

  void refuse(const std::string& kind, std::string text) {
    for (auto& character : text)
      if (character == '\n') character = '\v';
    pipe_.say("error " + kind + " " + text);
  }

  static size_t count(std::istringstream& words) {
    size_t found = 0;
    words >> found;
    return found;
  }

  wire::Pipe pipe_;
  std::unique_ptr<Model> model_;
  std::string kind_, path_;
  at::Device device_{at::kCPU};
  std::vector<c10::IValue> host_, inputs_;
  c10::IValue output_;
};

}  // namespace

int main() {
  prctl(PR_SET_PDEATHSIG, SIGKILL);
  // Libraries that print must not get between the answers: what they print goes to standard error.
  FILE* answers = fdopen(dup(STDOUT_FILENO), "wb");
  dup2(STDERR_FILENO, STDOUT_FILENO);
  c10::InferenceMode guard;
  Runner runner(wire::Pipe(stdin, answers));
  try {
    while (runner.step()) {
    }
  } catch (const wire::Closed&) {
  }
  std::fflush(answers);
  std::_Exit(0);  // as a Python worker does: libraries that crash while they unload spoil nothing
}
