using System.CommandLine;
using System.Diagnostics;
using System.Globalization;
using Rlhf.Core;
using TorchSharp;

namespace Rlhf.Pipeline;

/// <summary><c>rlhf doctor</c>: which engine was found where, its version and device, threads, and a measured GEMM rate.</summary>
public static class DoctorCommand
{
    private const int Size = 1024;

    public static Command Create()
    {
        var command = new Command("doctor", "Tells which engines were found where, their versions and devices, threads, and the measured rate of a matrix product.");
        CommonOptions.AddTo(command, Offered.LogLevel);
        command.SetAction((_, _) =>
        {
            var table = new ConsoleTable("engine", "version", "device", "library");
            IReadOnlyDictionary<string, string> versions = Manifest.Versions();
            int threads = Environment.ProcessorCount;
            torch.set_num_threads(threads);
            double gflops = Gemm();
            bool cuda = torch.cuda.is_available();
            table.Add("libtorch", versions["libtorch"], cuda ? $"cuda × {torch.cuda.device_count()}, cpu" : "cpu", Loaded("libtorch_cpu.so"));
            table.Add("torch bridge", versions["rlhf"], "", Loaded("librlhf_torch.so"));
            table.Add("BLAS", "", "cpu", Loaded("blas"));
            string providers = string.Join(", ", Microsoft.ML.OnnxRuntime.OrtEnv.Instance().GetAvailableProviders().Select(p => p.Replace("ExecutionProvider", "", StringComparison.Ordinal).ToLowerInvariant()));
            table.Add("ONNX Runtime", versions["ONNX Runtime"], providers, Loaded("libonnxruntime.so"));
            bool genai = System.Runtime.InteropServices.NativeLibrary.TryLoad("onnxruntime-genai", typeof(Microsoft.ML.OnnxRuntimeGenAI.Model).Assembly, null, out _);
            table.Add("ONNX Runtime GenAI", genai ? versions["ONNX Runtime GenAI"] : "not found", "cpu", Loaded("libonnxruntime-genai.so"));
            table.Add("DuckDB", versions["DuckDB"], "cpu", Loaded("libduckdb.so"));
            table.Print();
            System.Console.WriteLine(string.Create(CultureInfo.InvariantCulture,
                $".NET: {versions[".NET"]}; cores: {threads}; float32 GEMM {Size}³ on {threads} threads: {gflops:0} GFLOP/s"));
            foreach (string name in (string[])["OMP_WAIT_POLICY", "OPENBLAS_CORETYPE", "OMP_NUM_THREADS", "LD_PRELOAD", "LIBTORCH"])
            {
                if (Environment.GetEnvironmentVariable(name) is { Length: > 0 } value) System.Console.WriteLine($"{name} = {value}");
            }

            if (Environment.GetEnvironmentVariable("OPENBLAS_CORETYPE") is { Length: > 0 } core)
            {
                Log.Warning($"OPENBLAS_CORETYPE={core} overrides OpenBLAS's own choice of kernels; unset it unless you measured that it helps.");
            }

            return Task.FromResult((int)ExitCode.Done);
        });
        return command;
    }

    private static double Gemm()
    {
        using DisposeScope scope = torch.NewDisposeScope();
        using IDisposable noGrad = torch.no_grad();
        torch.Tensor a = torch.randn(Size, Size), b = torch.randn(Size, Size);
        a.mm(b);
        const int Runs = 10;
        long started = Stopwatch.GetTimestamp();
        for (int i = 0; i < Runs; i++) a.mm(b).Dispose();
        return Runs * 2.0 * Size * Size * Size / Stopwatch.GetElapsedTime(started).TotalSeconds / 1e9;
    }

    private static string Loaded(string name) =>
        Process.GetCurrentProcess().Modules.Cast<ProcessModule>().Select(m => m.FileName).FirstOrDefault(f => Path.GetFileName(f).Contains(name, StringComparison.Ordinal)) ?? "not loaded";
}
