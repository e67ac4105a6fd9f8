// The torch bridge: a C interface to libtorch's operator dispatcher.
//
// Every ATen operator is called *boxed*: the caller names it ("aten::add", "Tensor"), gets a handle once, and passes a packed list
// of arguments. Arguments left out (or sent as Tag::Default) take the defaults of the operator's schema, so a caller does not have to
// know parameters that newer versions of libtorch appended. Compiles against libtorch 1.13 to 2.x, CPU and CUDA.
//
// Rules of the interface: a function that can fail returns -1 or null and leaves the message in tb_last_error(), one per thread.
// A tensor handle is a heap-allocated at::Tensor; the caller owns every handle it is given and frees it with tb_free.

#include <ATen/ATen.h>
#include <ATen/Parallel.h>
#include <ATen/Version.h>
#include <ATen/core/dispatch/Dispatcher.h>
#include <ATen/core/stack.h>
#include <c10/core/InferenceMode.h>
#include <torch/csrc/autograd/autograd.h>
#include <torch/csrc/autograd/edge.h>
#include <torch/csrc/autograd/engine.h>
#include <torch/csrc/autograd/function.h>
#include <torch/csrc/autograd/grad_mode.h>
#include <torch/csrc/autograd/variable.h>
#include <torch/cuda.h>
#include <torch/version.h>

#include <dlfcn.h>
#include <malloc.h>

#include <atomic>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <optional>
#include <string>
#include <vector>

#define TB_API extern "C" __attribute__((visibility("default")))

namespace {

// libtorch gave up its own optional for the standard one (2.4: an alias already; later: gone).
#if TORCH_VERSION_MAJOR > 2 || (TORCH_VERSION_MAJOR == 2 && TORCH_VERSION_MINOR >= 4)
template <class T> using Optional = std::optional<T>;
#else
template <class T> using Optional = c10::optional<T>;
#endif

enum Tag : int32_t {
    Default = 0, None = 1, TensorTag = 2, Int = 3, Double = 4, Bool = 5, IntList = 6, TensorList = 7, DoubleList = 8,
    String = 9, DeviceTag = 10, GeneratorTag = 11
};

// 16 bytes. IntList, DoubleList: `p` points at `length` elements. TensorList: at `length` handles (null = none). String: UTF-8 bytes.
// Device: `i` = type * 65536 + (index + 1).
struct Arg {
    int32_t tag;
    int32_t length;
    union { int64_t i; double d; void* p; };
};
static_assert(sizeof(Arg) == 16, "Arg is part of the interface");

struct Operator {
    c10::OperatorHandle handle;
    std::string name;
    std::vector<Optional<c10::IValue>> defaults;
    std::vector<bool> optionalTensorList;  // Tensor?[]: its boxed list type differs from Tensor[]
};

thread_local std::string lastError;
thread_local std::vector<Arg> results;
std::atomic<int64_t> liveTensors{0};

at::Tensor& tensorOf(void* handle) { return *static_cast<at::Tensor*>(handle); }

void* newHandle(at::Tensor tensor) {
    if (!tensor.defined()) return nullptr;
    liveTensors.fetch_add(1, std::memory_order_relaxed);
    return new at::Tensor(std::move(tensor));
}

// The one place where a native failure becomes a message.
template <class F, class R>
R guarded(const char* where, R failure, F&& body) {
    try {
        return body();
    } catch (const c10::Error& e) {
        lastError = std::string(where) + ": " + e.what_without_backtrace();
    } catch (const std::exception& e) {
        lastError = std::string(where) + ": " + e.what();
    } catch (...) {
        lastError = std::string(where) + ": unknown native exception";
    }
    return failure;
}

c10::Device deviceOf(int64_t packed) {
    return c10::Device(static_cast<c10::DeviceType>(packed >> 16), static_cast<c10::DeviceIndex>((packed & 0xffff) - 1));
}

c10::IValue toIValue(const Arg& arg, const Operator& op, size_t position) {
    switch (arg.tag) {
        case None: return c10::IValue();
        case TensorTag: return arg.p == nullptr ? c10::IValue() : c10::IValue(tensorOf(arg.p));
        case Int: return c10::IValue(arg.i);
        case Double: return c10::IValue(arg.d);
        case Bool: return c10::IValue(arg.i != 0);
        case IntList: return c10::IValue(at::IntArrayRef(static_cast<int64_t*>(arg.p), arg.length));
        case DoubleList: return c10::IValue(at::ArrayRef<double>(static_cast<double*>(arg.p), arg.length));
        case String: return c10::IValue(std::string(static_cast<char*>(arg.p), arg.length));
        case DeviceTag: return c10::IValue(deviceOf(arg.i));
        case GeneratorTag:
            return arg.p == nullptr ? c10::IValue() : c10::IValue(*static_cast<at::Generator*>(arg.p));
        case TensorList: {
            void** handles = static_cast<void**>(arg.p);
            if (op.optionalTensorList[position]) {
                c10::List<Optional<at::Tensor>> list;
                for (int32_t i = 0; i < arg.length; i++)
                    list.push_back(handles[i] == nullptr ? Optional<at::Tensor>() : Optional<at::Tensor>(tensorOf(handles[i])));
                return c10::IValue(std::move(list));
            }
            c10::List<at::Tensor> list;
            list.reserve(arg.length);
            for (int32_t i = 0; i < arg.length; i++) list.push_back(tensorOf(handles[i]));
            return c10::IValue(std::move(list));
        }
    }
    throw std::runtime_error("argument " + std::to_string(position) + " has the unknown tag " + std::to_string(arg.tag));
}

void addResult(c10::IValue&& value) {
    Arg out{None, 0, {0}};
    if (value.isTensor()) {
        out.tag = TensorTag;
        out.p = newHandle(std::move(value).toTensor());
    } else if (value.isTensorList()) {  // a list is flattened; no operator in use returns a list beside other results
        for (at::Tensor tensor : std::move(value).toTensorVector()) addResult(c10::IValue(std::move(tensor)));
        return;
    } else if (value.isBool()) {
        out.tag = Bool;
        out.i = value.toBool();
    } else if (value.isInt()) {
        out.tag = Int;
        out.i = value.toInt();
    } else if (value.isDouble()) {
        out.tag = Double;
        out.d = value.toDouble();
    } else if (!value.isNone()) {
        throw std::runtime_error("result of unsupported type " + value.tagKind());
    }
    results.push_back(out);
}

std::vector<at::Tensor> tensorsOf(void** handles, int32_t count) {
    std::vector<at::Tensor> tensors;
    for (int32_t i = 0; i < count; i++) tensors.push_back(handles[i] == nullptr ? at::Tensor() : tensorOf(handles[i]));
    return tensors;
}

// Tri-state of the C interface: -1 = not given.
Optional<bool> optionalBool(int32_t value) { return value < 0 ? Optional<bool>() : Optional<bool>(value != 0); }

}  // namespace

// ---- operators -----------------------------------------------------------------------------------------------------------------

TB_API const char* tb_last_error() { return lastError.c_str(); }
TB_API const char* tb_version() { return TORCH_VERSION; }
TB_API int64_t tb_live_tensors() { return liveTensors.load(std::memory_order_relaxed); }

// Finds an operator; null when this libtorch has none of that name. The handle lives as long as the process.
TB_API void* tb_operator(const char* name, const char* overload) {
    return guarded(name, static_cast<void*>(nullptr), [&]() -> void* {
        auto handle = c10::Dispatcher::singleton().findSchemaOrThrow(name, overload);
        auto* op = new Operator{handle, std::string(name) + (*overload != 0 ? "." : "") + overload, {}, {}};
        for (const auto& argument : handle.schema().arguments()) {
            op->defaults.push_back(argument.default_value());
            op->optionalTensorList.push_back(argument.type()->str().find("Tensor?[]") == 0 || argument.type()->str().find("Optional[Tensor][]") == 0);
        }
        return op;
    });
}

// Calls an operator. At most `capacity` results are written to `out`; the return value is how many there are, the rest is fetched with
// tb_results. A negative capacity drops the results.
TB_API int32_t tb_call(void* opHandle, const Arg* args, int32_t count, Arg* out, int32_t capacity) {
    auto& op = *static_cast<Operator*>(opHandle);
    results.clear();
    return guarded(op.name.c_str(), -1, [&]() -> int32_t {
        if (static_cast<size_t>(count) > op.defaults.size())
            throw std::runtime_error("takes at most " + std::to_string(op.defaults.size()) + " arguments, got " + std::to_string(count));
        torch::jit::Stack stack;
        stack.reserve(std::max<size_t>(op.defaults.size(), 4));
        for (size_t i = 0; i < op.defaults.size(); i++) {
            if (i < static_cast<size_t>(count) && args[i].tag != Default) {
                stack.push_back(toIValue(args[i], op, i));
            } else if (op.defaults[i].has_value()) {
                stack.push_back(*op.defaults[i]);
            } else {
                throw std::runtime_error("argument '" + op.handle.schema().arguments()[i].name() + "' has no default and was not given");
            }
        }
        op.handle.callBoxed(&stack);
        if (capacity < 0) return 0;  // an in-place call: the caller has the tensor already
        for (auto& value : stack) addResult(std::move(value));
        auto total = static_cast<int32_t>(results.size());
        for (int32_t i = 0; i < std::min(total, capacity); i++) out[i] = results[i];
        return total;
    });
}

TB_API void tb_results(Arg* out, int32_t count) { std::copy_n(results.begin(), std::min<size_t>(count, results.size()), out); }

// ---- tensors -------------------------------------------------------------------------------------------------------------------

TB_API void tb_free(void* tensor) {
    liveTensors.fetch_sub(1, std::memory_order_relaxed);
    delete static_cast<at::Tensor*>(tensor);
}

using Deleter = void (*)(void* context);

// A CPU tensor over memory that the caller owns; `deleter(context)` is called (from any thread) when the last view of it goes.
TB_API void* tb_from_blob(void* data, const int64_t* sizes, int32_t rank, int32_t dtype, Deleter deleter, void* context) {
    return guarded("from_blob", static_cast<void*>(nullptr), [&]() -> void* {
        auto options = at::TensorOptions().dtype(static_cast<at::ScalarType>(dtype));
        at::IntArrayRef shape(sizes, rank);
        return newHandle(deleter == nullptr ? at::from_blob(data, shape, options)
                                            : at::from_blob(data, shape, [deleter, context](void*) { deleter(context); }, options));
    });
}

// A new CPU tensor that holds a copy of `data`.
TB_API void* tb_from_copy(const void* data, const int64_t* sizes, int32_t rank, int32_t dtype) {
    return guarded("from_copy", static_cast<void*>(nullptr), [&]() -> void* {
        c10::InferenceMode normal(false);
        auto tensor = at::empty(at::IntArrayRef(sizes, rank), at::TensorOptions().dtype(static_cast<at::ScalarType>(dtype)));
        if (tensor.nbytes() > 0) std::memcpy(tensor.data_ptr(), data, tensor.nbytes());
        return newHandle(std::move(tensor));
    });
}

TB_API void* tb_alias(void* tensor) { return newHandle(tensorOf(tensor)); }  // a second handle to the same tensor
TB_API void* tb_data(void* tensor) {
    return guarded("data_ptr", static_cast<void*>(nullptr), [&]() -> void* { return tensorOf(tensor).data_ptr(); });
}
TB_API int32_t tb_dim(void* tensor) { return static_cast<int32_t>(tensorOf(tensor).dim()); }
TB_API int64_t tb_numel(void* tensor) { return tensorOf(tensor).numel(); }
TB_API int32_t tb_dtype(void* tensor) { return static_cast<int32_t>(tensorOf(tensor).scalar_type()); }
TB_API int64_t tb_element_size(void* tensor) { return tensorOf(tensor).element_size(); }
TB_API int64_t tb_storage_offset(void* tensor) { return tensorOf(tensor).storage_offset(); }
TB_API int32_t tb_is_contiguous(void* tensor) { return tensorOf(tensor).is_contiguous(); }
TB_API int64_t tb_identity(void* tensor) { return reinterpret_cast<int64_t>(tensorOf(tensor).unsafeGetTensorImpl()); }
TB_API void tb_sizes(void* tensor, int64_t* out) { auto sizes = tensorOf(tensor).sizes(); std::copy(sizes.begin(), sizes.end(), out); }
TB_API void tb_strides(void* tensor, int64_t* out) { auto strides = tensorOf(tensor).strides(); std::copy(strides.begin(), strides.end(), out); }
TB_API int64_t tb_device(void* tensor) {
    auto device = tensorOf(tensor).device();
    return (static_cast<int64_t>(device.type()) << 16) + device.index() + 1;
}

// ---- autograd ------------------------------------------------------------------------------------------------------------------

TB_API int32_t tb_requires_grad(void* tensor) { return tensorOf(tensor).requires_grad(); }
TB_API int32_t tb_set_requires_grad(void* tensor, int32_t value) {
    return guarded("requires_grad_", -1, [&]() -> int32_t { tensorOf(tensor).set_requires_grad(value != 0); return 0; });
}
TB_API int32_t tb_is_leaf(void* tensor) { return tensorOf(tensor).is_leaf(); }
TB_API int32_t tb_retain_grad(void* tensor) {
    return guarded("retain_grad", -1, [&]() -> int32_t { tensorOf(tensor).retain_grad(); return 0; });
}
TB_API void* tb_grad(void* tensor) { return newHandle(tensorOf(tensor).grad()); }
TB_API int32_t tb_set_grad(void* tensor, void* grad) {
    return guarded("set grad", -1, [&]() -> int32_t {
        auto& target = tensorOf(tensor);
        if (grad != nullptr && !tensorOf(grad).sizes().equals(target.sizes())) throw std::runtime_error("the gradient has another shape than the tensor");
        target.mutable_grad() = grad == nullptr ? at::Tensor() : tensorOf(grad);
        return 0;
    });
}

// retain < 0: as create_graph. Null entries in `grads` stand for "ones" (scalar outputs).
TB_API int32_t tb_backward(void** tensors, int32_t count, void** grads, int32_t gradCount, int32_t retain, int32_t create, void** inputs, int32_t inputCount) {
    return guarded("backward", -1, [&]() -> int32_t {
        torch::autograd::backward(tensorsOf(tensors, count), tensorsOf(grads, gradCount), optionalBool(retain), create != 0, tensorsOf(inputs, inputCount));
        return 0;
    });
}

// Writes one handle per input to `out` (null where unused and allowed).
TB_API int32_t tb_autograd_grad(void** outputs, int32_t count, void** inputs, int32_t inputCount, void** grads, int32_t gradCount,
                                int32_t retain, int32_t create, int32_t allowUnused, void** out) {
    return guarded("autograd.grad", -1, [&]() -> int32_t {
        auto gradients = torch::autograd::grad(tensorsOf(outputs, count), tensorsOf(inputs, inputCount), tensorsOf(grads, gradCount),
                                               optionalBool(retain), create != 0, allowUnused != 0);
        for (int32_t i = 0; i < inputCount; i++) out[i] = newHandle(gradients[i]);
        return 0;
    });
}

TB_API int32_t tb_grad_mode() { return c10::GradMode::is_enabled(); }
TB_API void tb_set_grad_mode(int32_t enabled) { c10::GradMode::set_enabled(enabled != 0); }
TB_API int32_t tb_is_inference_mode() { return c10::InferenceMode::is_enabled(); }
TB_API void* tb_enter_inference_mode(int32_t enabled) { return new c10::InferenceMode(enabled != 0); }
TB_API void tb_leave_inference_mode(void* guard) { delete static_cast<c10::InferenceMode*>(guard); }

// Backward of a function written by the caller: fills `out` (one handle or null per input, owned by the bridge from then on) from
// `grads` (one handle or null per output, owned by the callee). Returns 0, or a malloc'ed message.
using BackwardCallback = char* (*)(void* context, void** grads, int32_t gradCount, void** out, int32_t outCount);
using ReleaseCallback = void (*)(void* context, int32_t last);

namespace {
struct CallerFunction : public torch::autograd::Node {
    std::string label;
    BackwardCallback callback = nullptr;
    ReleaseCallback release = nullptr;
    void* context = nullptr;

    ~CallerFunction() override { if (release != nullptr) release(context, 1); }
    std::string name() const override { return label; }
    void release_variables() override { if (release != nullptr) release(context, 0); }

    torch::autograd::variable_list apply(torch::autograd::variable_list&& grads) override {
        std::vector<void*> in, out(num_outputs(), nullptr);
        for (auto& grad : grads) in.push_back(newHandle(grad));
        char* message = callback(context, in.data(), static_cast<int32_t>(in.size()), out.data(), static_cast<int32_t>(out.size()));
        torch::autograd::variable_list gradients;
        for (void* handle : out) {
            gradients.push_back(handle == nullptr ? at::Tensor() : tensorOf(handle));
            if (handle != nullptr) tb_free(handle);
        }
        if (message != nullptr) {
            std::string text = label + ".backward: " + message;
            std::free(message);
            throw std::runtime_error(text);
        }
        return gradients;
    }
};
}  // namespace

TB_API char* tb_message(const char* text) { return strdup(text); }  // for BackwardCallback

// Records `outputs` (made without autograd) as results of a caller's function of `inputs`. The handles in `outputs` are replaced in place.
TB_API int32_t tb_record_function(const char* name, void** inputs, int32_t inputCount, void** outputs, int32_t outputCount,
                                  BackwardCallback callback, ReleaseCallback release, void* context) {
    return guarded(name, -1, [&]() -> int32_t {
        auto node = std::shared_ptr<CallerFunction>(new CallerFunction(), torch::autograd::deleteNode);
        node->label = name;
        node->callback = callback;
        for (int32_t i = 0; i < inputCount; i++) node->add_next_edge(torch::autograd::impl::gradient_edge(tensorOf(inputs[i])));
        for (int32_t i = 0; i < outputCount; i++) {
            if (outputs[i] == nullptr) continue;
            at::Tensor output = tensorOf(outputs[i]).detach();  // an output may be an input or a view of one
            torch::autograd::create_gradient_edge(output, node);
            tensorOf(outputs[i]) = output;
        }
        node->context = context;  // from here on the node owns the context
        node->release = release;
        return 0;
    });
}

// ---- random numbers, threads, devices ------------------------------------------------------------------------------------------

TB_API int32_t tb_manual_seed(int64_t seed) {
    return guarded("manual_seed", -1, [&]() -> int32_t { at::manual_seed(static_cast<uint64_t>(seed)); return 0; });
}
TB_API void* tb_default_generator(int64_t device) {
    return guarded("default_generator", static_cast<void*>(nullptr), [&]() -> void* {
        return new at::Generator(at::globalContext().defaultGenerator(deviceOf(device)));
    });
}
TB_API void* tb_new_generator(int64_t device, int64_t seed) {
    return guarded("new_generator", static_cast<void*>(nullptr), [&]() -> void* {
        auto generator = at::globalContext().defaultGenerator(deviceOf(device)).clone();
        generator.set_current_seed(static_cast<uint64_t>(seed));
        return new at::Generator(std::move(generator));
    });
}
TB_API void tb_free_generator(void* generator) { delete static_cast<at::Generator*>(generator); }
TB_API int32_t tb_generator_seed(void* generator, int64_t seed) {
    return guarded("generator.manual_seed", -1, [&]() -> int32_t {
        static_cast<at::Generator*>(generator)->set_current_seed(static_cast<uint64_t>(seed));
        return 0;
    });
}
TB_API int64_t tb_generator_initial_seed(void* generator) { return static_cast<int64_t>(static_cast<at::Generator*>(generator)->current_seed()); }
TB_API void* tb_generator_state(void* generator) {
    return guarded("generator.get_state", static_cast<void*>(nullptr), [&]() -> void* {
        return newHandle(static_cast<at::Generator*>(generator)->get_state());
    });
}
TB_API int32_t tb_set_generator_state(void* generator, void* state) {
    return guarded("generator.set_state", -1, [&]() -> int32_t { static_cast<at::Generator*>(generator)->set_state(tensorOf(state)); return 0; });
}

// OpenBLAS with its own (pthread) pool does not follow OpenMP, so libtorch's setting never reaches it; it is told by name where it is loaded.
TB_API int32_t tb_blas_threads() {
    auto get = reinterpret_cast<int (*)()>(dlsym(RTLD_DEFAULT, "openblas_get_num_threads"));
    return get == nullptr ? 0 : get();
}
TB_API const char* tb_blas_core() {
    auto get = reinterpret_cast<char* (*)()>(dlsym(RTLD_DEFAULT, "openblas_get_corename"));
    return get == nullptr ? "" : get();
}
TB_API int32_t tb_threads() { return at::get_num_threads(); }
TB_API int32_t tb_set_threads(int32_t count) {
    return guarded("set_num_threads", -1, [&]() -> int32_t {
        at::set_num_threads(count);
        auto set = reinterpret_cast<void (*)(int)>(dlsym(RTLD_DEFAULT, "openblas_set_num_threads"));
        if (set != nullptr) set(count);
        return 0;
    });
}
TB_API int32_t tb_interop_threads() { return static_cast<int32_t>(at::get_num_interop_threads()); }
TB_API int32_t tb_set_interop_threads(int32_t count) {
    return guarded("set_num_interop_threads", -1, [&]() -> int32_t { at::set_num_interop_threads(count); return 0; });
}
TB_API const char* tb_config() { static thread_local std::string text; text = at::show_config(); return text.c_str(); }
TB_API const char* tb_parallel_info() { static thread_local std::string text; text = at::get_parallel_info(); return text.c_str(); }

// Keeps freed memory in the process instead of giving it back to the system after every large tensor: a page that has to be mapped anew
// costs far more than the arithmetic on it (numbers in native/README.md). For the whole process; glibc only.
TB_API void tb_keep_freed_memory() {
#ifdef __GLIBC__
    mallopt(M_MMAP_MAX, 0);
    mallopt(M_TRIM_THRESHOLD, -1);
#endif
}

TB_API int32_t tb_cuda_is_available() { return guarded("cuda.is_available", 0, [&]() -> int32_t { return torch::cuda::is_available(); }); }
TB_API int32_t tb_cuda_device_count() { return guarded("cuda.device_count", 0, [&]() -> int32_t { return static_cast<int32_t>(torch::cuda::device_count()); }); }
TB_API int32_t tb_cuda_is_cudnn_available() { return guarded("cuda.is_cudnn_available", 0, [&]() -> int32_t { return torch::cuda::cudnn_is_available(); }); }
TB_API int32_t tb_cuda_synchronize(int32_t index) { return guarded("cuda.synchronize", -1, [&]() -> int32_t { torch::cuda::synchronize(index); return 0; }); }
TB_API int32_t tb_cuda_manual_seed(int64_t seed, int32_t all) {
    return guarded("cuda.manual_seed", -1, [&]() -> int32_t {
        if (all != 0) torch::cuda::manual_seed_all(static_cast<uint64_t>(seed)); else torch::cuda::manual_seed(static_cast<uint64_t>(seed));
        return 0;
    });
}
