using static TorchSharp.Operators;

namespace TorchSharp;

public static partial class torch
{
    // Arithmetic between tensors, and between a tensor and a number.
    public partial class Tensor
    {
        public Tensor add(Tensor target) => One("add.Tensor", this, target);

        public Tensor add_(Tensor target) => InPlace("add_.Tensor", this, target);

        public Tensor add(Scalar scalar) => One("add.Scalar", this, scalar);

        public Tensor add_(Scalar scalar) => InPlace("add_.Scalar", this, scalar);

        public Tensor sub(Tensor target) => One("sub.Tensor", this, target);

        public Tensor sub_(Tensor target) => InPlace("sub_.Tensor", this, target);

        public Tensor sub(Scalar target) => One("sub.Scalar", this, target);

        public Tensor sub_(Scalar target) => InPlace("sub_.Scalar", this, target);

        public Tensor mul(Tensor target) => One("mul.Tensor", this, target);

        public Tensor mul_(Tensor target) => InPlace("mul_.Tensor", this, target);

        public Tensor mul(Scalar target) => One("mul.Scalar", this, target);

        public Tensor mul_(Scalar target) => InPlace("mul_.Scalar", this, target);

        public Tensor subtract(Tensor target) => One("subtract.Tensor", this, target);

        public Tensor subtract_(Tensor target) => InPlace("subtract_.Tensor", this, target);

        public Tensor subtract(Scalar target) => One("subtract.Scalar", this, target);

        public Tensor subtract_(Scalar target) => InPlace("subtract_.Scalar", this, target);

        public Tensor multiply(Tensor target) => One("multiply.Tensor", this, target);

        public Tensor multiply(Scalar target) => One("multiply.Scalar", this, target);

        public Tensor remainder(Tensor target) => One("remainder.Tensor", this, target);

        public Tensor remainder_(Tensor target) => InPlace("remainder_.Tensor", this, target);

        public Tensor remainder(Scalar scalar) => One("remainder.Scalar", this, scalar);

        public Tensor remainder_(Scalar scalar) => InPlace("remainder_.Scalar", this, scalar);

        public Tensor fmod(Tensor target) => One("fmod.Tensor", this, target);

        public Tensor fmod_(Tensor target) => InPlace("fmod_.Tensor", this, target);

        public Tensor fmod(Scalar scalar) => One("fmod.Scalar", this, scalar);

        public Tensor fmod_(Scalar scalar) => InPlace("fmod_.Scalar", this, scalar);

        public Tensor true_divide(Tensor other) => One("true_divide.Tensor", this, other);

        public Tensor true_divide_(Tensor other) => InPlace("true_divide_.Tensor", this, other);

        public Tensor true_divide(Scalar other) => One("true_divide.Scalar", this, other);

        public Tensor true_divide_(Scalar other) => InPlace("true_divide_.Scalar", this, other);

        public Tensor add(Tensor target, Scalar alpha) => One("add.Tensor", this, target, alpha);

        public Tensor add(Scalar scalar, Scalar alpha) => One("add.Scalar", this, scalar, alpha);

        public Tensor div(Tensor target, RoundingMode rounding_mode = RoundingMode.None) => rounding_mode == RoundingMode.None ? One("div.Tensor", this, target) : One("div.Tensor_mode", this, target, rounding_mode.ToString());

        public Tensor div(Scalar target, RoundingMode rounding_mode = RoundingMode.None) => rounding_mode == RoundingMode.None ? One("div.Scalar", this, target) : One("div.Scalar_mode", this, target, rounding_mode.ToString());

        public Tensor divide(Tensor target, RoundingMode rounding_mode = RoundingMode.None) => rounding_mode == RoundingMode.None ? One("div.Tensor", this, target) : One("div.Tensor_mode", this, target, rounding_mode.ToString());

        public Tensor divide(Scalar target, RoundingMode rounding_mode = RoundingMode.None) => rounding_mode == RoundingMode.None ? One("div.Scalar", this, target) : One("div.Scalar_mode", this, target, rounding_mode.ToString());

        public Tensor floor_divide(Tensor other) => One("floor_divide", this, other);

        public Tensor floor_divide(Scalar other) => One("floor_divide.Scalar", this, other);

        public Tensor pow(Tensor exponent) => One("pow.Tensor_Tensor", this, exponent);

        public Tensor pow(Scalar exponent) => One("pow.Tensor_Scalar", this, exponent);

        public Tensor addcmul(Tensor tensor1, Tensor tensor2, Scalar value) => One("addcmul", this, tensor1, tensor2, value);

        public Tensor addcdiv(Tensor tensor1, Tensor tensor2, Scalar value) => One("addcdiv", this, tensor1, tensor2, value);

        public Tensor addcdiv(Tensor tensor1, Tensor tensor2) => One("addcdiv", this, tensor1, tensor2);

        public Tensor clamp(Scalar? min = null, Scalar? max = null) => One("clamp", this, min, max);

        public Tensor clamp(Tensor? min = null, Tensor? max = null) => One("clamp.Tensor", this, min, max);

        public Tensor clamp_min(Scalar min) => One("clamp_min", this, min);

        public Tensor clamp_max(Scalar max) => One("clamp_max", this, max);

        public Tensor lerp(Tensor end, Tensor weight) => One("lerp.Tensor", this, end, weight);

        public Tensor atan2(Tensor other) => One("atan2", this, other);

        public Tensor copysign(Tensor other) => One("copysign", this, other);

        public Tensor hypot(Tensor other) => One("hypot", this, other);

        public Tensor nextafter(Tensor other) => One("nextafter", this, other);

        public Tensor heaviside(Tensor other) => One("heaviside", this, other);

        public Tensor gcd(Tensor other) => One("gcd", this, other);

        public Tensor lcm(Tensor other) => One("lcm", this, other);

        public Tensor bitwise_and(Tensor other) => One("bitwise_and.Tensor", this, other);

        public Tensor bitwise_or(Tensor other) => One("bitwise_or.Tensor", this, other);

        public Tensor bitwise_xor(Tensor other) => One("bitwise_xor.Tensor", this, other);

        public Tensor bitwise_left_shift(Tensor other) => One("bitwise_left_shift.Tensor", this, other);

        public Tensor bitwise_right_shift(Tensor other) => One("bitwise_right_shift.Tensor", this, other);

        public Tensor logical_and(Tensor other) => One("logical_and", this, other);

        public Tensor logical_or(Tensor other) => One("logical_or", this, other);

        public Tensor logical_xor(Tensor other) => One("logical_xor", this, other);

        public Tensor xlogy(Tensor y) => One("xlogy.Tensor", this, y);

        public Tensor xlogy(Scalar y) => One("xlogy.Scalar_Other", this, y);

        public Tensor add_(Tensor target, Scalar alpha) => InPlace("add_.Tensor", this, target, alpha);

        public Tensor add_(Scalar scalar, Scalar alpha) => InPlace("add_.Scalar", this, scalar, alpha);

        public Tensor div_(Tensor target, RoundingMode rounding_mode = RoundingMode.None) => rounding_mode == RoundingMode.None ? InPlace("div_.Tensor", this, target) : InPlace("div_.Tensor_mode", this, target, rounding_mode.ToString());

        public Tensor div_(Scalar target, RoundingMode rounding_mode = RoundingMode.None) => rounding_mode == RoundingMode.None ? InPlace("div_.Scalar", this, target) : InPlace("div_.Scalar_mode", this, target, rounding_mode.ToString());

        public Tensor divide_(Tensor target, RoundingMode rounding_mode = RoundingMode.None) => rounding_mode == RoundingMode.None ? InPlace("div_.Tensor", this, target) : InPlace("div_.Tensor_mode", this, target, rounding_mode.ToString());

        public Tensor divide_(Scalar target, RoundingMode rounding_mode = RoundingMode.None) => rounding_mode == RoundingMode.None ? InPlace("div_.Scalar", this, target) : InPlace("div_.Scalar_mode", this, target, rounding_mode.ToString());

        public Tensor floor_divide_(Tensor other) => InPlace("floor_divide_.Tensor", this, other);

        public Tensor floor_divide_(Scalar other) => InPlace("floor_divide_.Scalar", this, other);

        public Tensor pow_(Tensor exponent) => InPlace("pow_.Tensor", this, exponent);

        public Tensor pow_(Scalar exponent) => InPlace("pow_.Scalar", this, exponent);

        public Tensor addcmul_(Tensor tensor1, Tensor tensor2, Scalar value) => InPlace("addcmul_", this, tensor1, tensor2, value);

        public Tensor addcdiv_(Tensor tensor1, Tensor tensor2, Scalar value) => InPlace("addcdiv_", this, tensor1, tensor2, value);

        public Tensor addcdiv_(Tensor tensor1, Tensor tensor2) => InPlace("addcdiv_", this, tensor1, tensor2);

        public Tensor clamp_(Scalar? min = null, Scalar? max = null) => InPlace("clamp_", this, min, max);

        public Tensor clamp_(Tensor? min = null, Tensor? max = null) => InPlace("clamp_.Tensor", this, min, max);

        public Tensor clamp_min_(Scalar min) => InPlace("clamp_min_", this, min);

        public Tensor clamp_max_(Scalar max) => InPlace("clamp_max_", this, max);

        public Tensor lerp_(Tensor end, Tensor weight) => InPlace("lerp_.Tensor", this, end, weight);

        public Tensor atan2_(Tensor other) => InPlace("atan2_", this, other);

        public Tensor copysign_(Tensor other) => InPlace("copysign_", this, other);

        public Tensor nextafter_(Tensor other) => InPlace("nextafter_", this, other);

        public Tensor heaviside_(Tensor other) => InPlace("heaviside_", this, other);

        public Tensor gcd_(Tensor other) => InPlace("gcd_", this, other);

        public Tensor lcm_(Tensor other) => InPlace("lcm_", this, other);

        public Tensor bitwise_and_(Tensor other) => InPlace("bitwise_and_.Tensor", this, other);

        public Tensor bitwise_or_(Tensor other) => InPlace("bitwise_or_.Tensor", this, other);

        public Tensor bitwise_xor_(Tensor other) => InPlace("bitwise_xor_.Tensor", this, other);

        public Tensor bitwise_left_shift_(Tensor other) => InPlace("bitwise_left_shift_.Tensor", this, other);

        public Tensor bitwise_right_shift_(Tensor other) => InPlace("bitwise_right_shift_.Tensor", this, other);

        public Tensor logical_and_(Tensor other) => InPlace("logical_and_", this, other);

        public Tensor logical_or_(Tensor other) => InPlace("logical_or_", this, other);

        public Tensor logical_xor_(Tensor other) => InPlace("logical_xor_", this, other);

        public Tensor xlogy_(Tensor y) => InPlace("xlogy_.Tensor", this, y);

        public Tensor xlogy_(Scalar y) => InPlace("xlogy_.Scalar_Other", this, y);

        public Tensor clip(Scalar? min = null, Scalar? max = null) => clamp(min, max);

        public Tensor maximum(Tensor other) => One("maximum", this, other);

        public Tensor minimum(Tensor other) => One("minimum", this, other);

        public Tensor fmax(Tensor other) => One("fmax", this, other);

        public Tensor fmin(Tensor other) => One("fmin", this, other);

        public Tensor logaddexp(Tensor other) => One("logaddexp", this, other);

        public Tensor logaddexp2(Tensor other) => One("logaddexp2", this, other);
    }
}
