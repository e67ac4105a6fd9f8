using static TorchSharp.Operators;

namespace TorchSharp;

public static partial class torch
{
    // Functions of one element at a time.
    public partial class Tensor
    {
        public Tensor abs() => One("abs", this);

        public Tensor abs_() => InPlace("abs_", this);

        public Tensor absolute() => One("absolute", this);

        public Tensor absolute_() => InPlace("absolute_", this);

        public Tensor acos() => One("acos", this);

        public Tensor acos_() => InPlace("acos_", this);

        public Tensor acosh() => One("acosh", this);

        public Tensor acosh_() => InPlace("acosh_", this);

        public Tensor asin() => One("asin", this);

        public Tensor asin_() => InPlace("asin_", this);

        public Tensor asinh() => One("asinh", this);

        public Tensor asinh_() => InPlace("asinh_", this);

        public Tensor atan() => One("atan", this);

        public Tensor atan_() => InPlace("atan_", this);

        public Tensor atanh() => One("atanh", this);

        public Tensor atanh_() => InPlace("atanh_", this);

        public Tensor ceil() => One("ceil", this);

        public Tensor ceil_() => InPlace("ceil_", this);

        public Tensor cos() => One("cos", this);

        public Tensor cos_() => InPlace("cos_", this);

        public Tensor cosh() => One("cosh", this);

        public Tensor cosh_() => InPlace("cosh_", this);

        public Tensor digamma() => One("digamma", this);

        public Tensor digamma_() => InPlace("digamma_", this);

        public Tensor erf() => One("erf", this);

        public Tensor erf_() => InPlace("erf_", this);

        public Tensor erfc() => One("erfc", this);

        public Tensor erfc_() => InPlace("erfc_", this);

        public Tensor erfinv() => One("erfinv", this);

        public Tensor erfinv_() => InPlace("erfinv_", this);

        public Tensor exp() => One("exp", this);

        public Tensor exp_() => InPlace("exp_", this);

        public Tensor exp2() => One("exp2", this);

        public Tensor exp2_() => InPlace("exp2_", this);

        public Tensor expm1() => One("expm1", this);

        public Tensor expm1_() => InPlace("expm1_", this);

        public Tensor fix() => One("fix", this);

        public Tensor fix_() => InPlace("fix_", this);

        public Tensor floor() => One("floor", this);

        public Tensor floor_() => InPlace("floor_", this);

        public Tensor frac() => One("frac", this);

        public Tensor frac_() => InPlace("frac_", this);

        public Tensor i0() => One("i0", this);

        public Tensor i0_() => InPlace("i0_", this);

        public Tensor lgamma() => One("lgamma", this);

        public Tensor lgamma_() => InPlace("lgamma_", this);

        public Tensor log() => One("log", this);

        public Tensor log_() => InPlace("log_", this);

        public Tensor log10() => One("log10", this);

        public Tensor log10_() => InPlace("log10_", this);

        public Tensor log1p() => One("log1p", this);

        public Tensor log1p_() => InPlace("log1p_", this);

        public Tensor log2() => One("log2", this);

        public Tensor log2_() => InPlace("log2_", this);

        public Tensor neg() => One("neg", this);

        public Tensor neg_() => InPlace("neg_", this);

        public Tensor negative() => One("negative", this);

        public Tensor positive() => One("positive", this);

        public Tensor reciprocal() => One("reciprocal", this);

        public Tensor reciprocal_() => InPlace("reciprocal_", this);

        public Tensor rsqrt() => One("rsqrt", this);

        public Tensor rsqrt_() => InPlace("rsqrt_", this);

        public Tensor sgn() => One("sgn", this);

        public Tensor sgn_() => InPlace("sgn_", this);

        public Tensor sigmoid() => One("sigmoid", this);

        public Tensor sigmoid_() => InPlace("sigmoid_", this);

        public Tensor sign() => One("sign", this);

        public Tensor sign_() => InPlace("sign_", this);

        public Tensor signbit() => One("signbit", this);

        public Tensor sin() => One("sin", this);

        public Tensor sin_() => InPlace("sin_", this);

        public Tensor sinc() => One("sinc", this);

        public Tensor sinc_() => InPlace("sinc_", this);

        public Tensor sinh() => One("sinh", this);

        public Tensor sinh_() => InPlace("sinh_", this);

        public Tensor sqrt() => One("sqrt", this);

        public Tensor sqrt_() => InPlace("sqrt_", this);

        public Tensor square() => One("square", this);

        public Tensor tan() => One("tan", this);

        public Tensor tan_() => InPlace("tan_", this);

        public Tensor tanh() => One("tanh", this);

        public Tensor tanh_() => InPlace("tanh_", this);

        public Tensor trunc() => One("trunc", this);

        public Tensor trunc_() => InPlace("trunc_", this);

        public Tensor deg2rad() => One("deg2rad", this);

        public Tensor deg2rad_() => InPlace("deg2rad_", this);

        public Tensor rad2deg() => One("rad2deg", this);

        public Tensor rad2deg_() => InPlace("rad2deg_", this);

        public Tensor isfinite() => One("isfinite", this);

        public Tensor isinf() => One("isinf", this);

        public Tensor isnan() => One("isnan", this);

        public Tensor isneginf() => One("isneginf", this);

        public Tensor isposinf() => One("isposinf", this);

        public Tensor isreal() => One("isreal", this);

        public Tensor logical_not() => One("logical_not", this);

        public Tensor logical_not_() => InPlace("logical_not_", this);

        public Tensor bitwise_not() => One("bitwise_not", this);

        public Tensor bitwise_not_() => InPlace("bitwise_not_", this);

        public Tensor angle() => One("angle", this);

        public Tensor relu() => One("relu", this);

        public Tensor relu_() => InPlace("relu_", this);

        public Tensor relu6() => One("relu6", this);

        public Tensor relu6_() => InPlace("relu6_", this);

        public Tensor silu() => One("silu", this);

        public Tensor silu_() => InPlace("silu_", this);

        public Tensor selu() => One("selu", this);

        public Tensor selu_() => InPlace("selu_", this);

        public Tensor gelu() => One("gelu", this);

        public Tensor gelu_() => InPlace("gelu_", this);

        public Tensor hardsigmoid() => One("hardsigmoid", this);

        public Tensor hardsigmoid_() => InPlace("hardsigmoid_", this);

        public Tensor hardswish() => One("hardswish", this);

        public Tensor hardswish_() => InPlace("hardswish_", this);

        public Tensor round(long decimals = 0) => decimals == 0 ? One("round", this) : One("round.decimals", this, decimals);

        public Tensor round_(long decimals = 0) => decimals == 0 ? InPlace("round_", this) : InPlace("round_.decimals", this, decimals);

        public Tensor log_sigmoid() => One("log_sigmoid", this);

        public Tensor logit(double? eps = null) => One("logit", this, eps);

        public Tensor logit_(double? eps = null) => InPlace("logit_", this, eps);

        public Tensor softplus(double beta = 1, double threshold = 20) => One("softplus", this, beta, threshold);

        public Tensor leaky_relu(Scalar negative_slope) => One("leaky_relu", this, negative_slope);

        public Tensor leaky_relu_(Scalar negative_slope) => InPlace("leaky_relu_", this, negative_slope);

        public Tensor elu(double alpha = 1) => One("elu", this, alpha);

        public Tensor elu_(double alpha = 1) => InPlace("elu_", this, alpha);

        public Tensor glu(long dim = -1) => One("glu", this, dim);

        public Tensor threshold(Scalar threshold, Scalar value) => One("threshold", this, threshold, value);

        public Tensor nan_to_num(double nan = 0, double? posinf = null, double? neginf = null) => One("nan_to_num", this, nan, posinf, neginf);

        public Tensor nan_to_num_(double nan = 0, double? posinf = null, double? neginf = null) => InPlace("nan_to_num_", this, nan, posinf, neginf);

        public Tensor softmax(long dim, ScalarType? dtype = null) => One("softmax.int", this, dim, dtype);

        public Tensor log_softmax(long dim, ScalarType? dtype = null) => One("log_softmax.int", this, dim, dtype);

        public Tensor zero_() => InPlace("zero_", this);

        public Tensor fill_(Scalar value) => InPlace("fill_.Scalar", this, value);
    }
}
