using static TorchSharp.torch;

namespace Rlhf.Models.Tests;

/// <summary>The Llama trunk again, in float64 loops that follow the papers' formulas one number at a time, with keys and values looked up per query head.</summary>
internal static class NaiveLlama
{
    public static double[,] Hidden(LlamaModel model, long[] ids)
    {
        LlamaConfig c = model.Config;
        double[,] x = new double[ids.Length, c.HiddenSize];
        double[,] embedding = Matrix(model, LlamaParameters.Embedding);
        for (int t = 0; t < ids.Length; t++)
        {
            for (int d = 0; d < c.HiddenSize; d++) x[t, d] = embedding[ids[t], d];
        }

        for (int layer = 0; layer < c.NumHiddenLayers; layer++)
        {
            string Name(string part) => LlamaParameters.OfLayer(layer, part);
            double[,] n = Norm(x, Matrix(model, Name("input_layernorm.weight")), c.RmsNormEps);
            double[,] q = Linear(model, n, Name("self_attn.q_proj")), k = Linear(model, n, Name("self_attn.k_proj")), v = Linear(model, n, Name("self_attn.v_proj"));
            Rotate(q, c);
            Rotate(k, c);
            Add(x, Linear(model, Attend(q, k, v, c), Name("self_attn.o_proj")));
            n = Norm(x, Matrix(model, Name("post_attention_layernorm.weight")), c.RmsNormEps);
            double[,] gate = Linear(model, n, Name("mlp.gate_proj")), up = Linear(model, n, Name("mlp.up_proj"));
            for (int t = 0; t < ids.Length; t++)
            {
                for (int d = 0; d < c.IntermediateSize; d++) gate[t, d] = gate[t, d] / (1 + Math.Exp(-gate[t, d])) * up[t, d];
            }

            Add(x, Linear(model, gate, Name("mlp.down_proj")));
        }

        return Norm(x, Matrix(model, LlamaParameters.FinalNorm), c.RmsNormEps);
    }

    private static double[,] Attend(double[,] q, double[,] k, double[,] v, LlamaConfig c)
    {
        int time = q.GetLength(0), size = c.HeadDim;
        double[,] mixed = new double[time, c.QueryWidth];
        for (int head = 0; head < c.NumAttentionHeads; head++)
        {
            int keyHead = head / (c.NumAttentionHeads / c.NumKeyValueHeads);
            for (int t = 0; t < time; t++)
            {
                double[] p = new double[t + 1];
                for (int s = 0; s <= t; s++)
                {
                    for (int d = 0; d < size; d++) p[s] += q[t, (head * size) + d] * k[s, (keyHead * size) + d];
                    p[s] = Math.Exp(p[s] / Math.Sqrt(size));
                }

                double sum = p.Sum();
                for (int s = 0; s <= t; s++)
                {
                    for (int d = 0; d < size; d++) mixed[t, (head * size) + d] += p[s] / sum * v[s, (keyHead * size) + d];
                }
            }
        }

        return mixed;
    }

    private static void Rotate(double[,] x, LlamaConfig c)
    {
        int half = c.HeadDim / 2;
        for (int t = 0; t < x.GetLength(0); t++)
        {
            for (int head = 0; head < x.GetLength(1) / c.HeadDim; head++)
            {
                for (int i = 0; i < half; i++)
                {
                    double angle = t / Math.Pow(c.RopeTheta, 2.0 * i / c.HeadDim);
                    int a = (head * c.HeadDim) + i, b = a + half;
                    (x[t, a], x[t, b]) = ((x[t, a] * Math.Cos(angle)) - (x[t, b] * Math.Sin(angle)), (x[t, b] * Math.Cos(angle)) + (x[t, a] * Math.Sin(angle)));
                }
            }
        }
    }

    private static double[,] Norm(double[,] x, double[,] gain, double eps)
    {
        double[,] y = new double[x.GetLength(0), x.GetLength(1)];
        for (int t = 0; t < x.GetLength(0); t++)
        {
            double mean = 0;
            for (int d = 0; d < x.GetLength(1); d++) mean += x[t, d] * x[t, d] / x.GetLength(1);
            for (int d = 0; d < x.GetLength(1); d++) y[t, d] = x[t, d] / Math.Sqrt(mean + eps) * gain[0, d];
        }

        return y;
    }

    private static double[,] Linear(LlamaModel model, double[,] x, string name)
    {
        double[,] w = Matrix(model, name + ".weight");
        double[,]? bias = model.Parameters.Contains(name + ".bias") ? Matrix(model, name + ".bias") : null;
        double[,] y = new double[x.GetLength(0), w.GetLength(1)];
        for (int t = 0; t < y.GetLength(0); t++)
        {
            for (int o = 0; o < y.GetLength(1); o++)
            {
                y[t, o] = bias is null ? 0 : bias[0, o];
                for (int i = 0; i < w.GetLength(0); i++) y[t, o] += x[t, i] * w[i, o];
            }
        }

        return y;
    }

    private static void Add(double[,] x, double[,] y)
    {
        for (int t = 0; t < x.GetLength(0); t++)
        {
            for (int d = 0; d < x.GetLength(1); d++) x[t, d] += y[t, d];
        }
    }

    private static double[,] Matrix(LlamaModel model, string name)
    {
        IReadOnlyList<long> shape = model.Parameters.Place(name).Spec.Shape;
        (long rows, long columns) = shape.Count == 2 ? (shape[0], shape[1]) : (1, shape[0]);
        double[,] matrix = new double[rows, columns];
        ReadOnlySpan<float> values = model.Parameters.Span(name);
        for (int i = 0; i < values.Length; i++) matrix[i / columns, i % columns] = values[i];
        return matrix;
    }
}
