using System.Globalization;
using System.Text;
using System.Text.Json.Nodes;
using Flurrty.Sandbox.Faults;

namespace Flurrty.Sandbox.Replicate;

/// <summary>
/// The trainer's log up to a point of the run. It is the same text for the same training, so it need not be kept.
/// </summary>
internal static class TrainingLog
{
    public const double Extracted = 0.06;
    public const double LoopBegins = 0.25;
    private const double LoopEnds = 0.97;
    private const string WeightsUrl = "https://weights.replicate.delivery/default/black-forest-labs/FLUX.1-dev/files.tar";

    public static string Render(Training training, Dataset dataset, double reached)
    {
        if (training.Quirks.Logs == LogNoise.Silent)
        {
            return "";
        }

        var log = new Writer(training, reached);
        double downloaded = 0.05 * training.Seconds;
        log.At(0, $"{log.Clock(0)} | INFO  | [ Initiating ] chunk_size=150M dest=. url={WeightsUrl}\n");
        log.At(0.05, Invariant($"{log.Clock(0.05)} | INFO  | [ Complete ] dest=. size=\"34 GB\" total_elapsed={downloaded:0.000}s url={WeightsUrl}\n"));
        log.At(0.05, Invariant($"Downloaded base weights in {downloaded:R} seconds\n"));
        if (dataset.Error is not null && dataset.Files == 0)
        {
            log.At(Extracted, Traceback(dataset.Error));
            return log.ToString();
        }

        log.At(Extracted, $"Extracted {dataset.Files} files from zip to input_images\n");
        if (dataset.Error is not null)
        {
            log.At(0.07, Traceback(dataset.Error));
            return log.ToString();
        }

        var captioned = Captions(training, dataset).Where(caption => !dataset.Captions.ContainsKey(caption.Key)).ToList();
        for (int index = 0; index < captioned.Count; index++)
        {
            double at = 0.07 + (0.06 * index / captioned.Count);
            string image = dataset.Images.First(image => Path.ChangeExtension(image, ".txt") == captioned[index].Key);
            log.At(at, $"Caption for input_images/{image}: {captioned[index].Value}\n");
        }

        log.At(0.13, "Starting train job\n");
        log.At(0.13, Config(training) + "\n");
        log.At(0.14, "Using EMA\n#############################################\n# Running job: flux_train_replicate\n#############################################\nRunning  1 process\n");
        log.At(0.14, "/src/ai-toolkit/extensions_built_in/sd_trainer/SDTrainer.py:61: FutureWarning: `torch.cuda.amp.GradScaler(args...)` is deprecated. Please use `torch.amp.GradScaler('cuda', args...)` instead.\n  self.scaler = torch.cuda.amp.GradScaler()\n");
        string[] loading = ["Loading Flux model", "Loading transformer", "Quantizing transformer", "Loading vae", "Loading t5", "Quantizing T5", "Loading clip", "making pipe", "preparing"];
        for (int index = 0; index < loading.Length; index++)
        {
            log.At(0.15 + (0.05 * index / loading.Length), loading[index] + "\n");
        }

        log.At(0.20, $"create LoRA network. base dim (rank): {Rank(training)}, alpha: {Rank(training)}\nneuron dropout: p=None, rank dropout: p=None, module dropout: p=None\ncreate LoRA for U-Net: 494 modules.\nenable LoRA for U-Net\n");
        foreach (string size in Resolutions(training))
        {
            log.At(0.21, $"Dataset: input_images\n  -  Preprocessing image dimensions\n\r  0%|          | 0/{dataset.Images.Count} [00:00<?, ?it/s]\r100%|██████████| {dataset.Images.Count}/{dataset.Images.Count} [00:00<00:00, 1482.61it/s]\n");
            log.At(0.21, $"  -  Found {dataset.Images.Count} images\nBucket sizes for input_images:\n{size}x{size}: {dataset.Images.Count} files\n1 buckets made\nCaching latents for input_images\n - Keeping latents in memory\n");
            log.At(0.21, $"\rCaching latents:   0%|          | 0/{dataset.Images.Count} [00:00<?, ?it/s]\u001b[A\rCaching latents: 100%|██████████| {dataset.Images.Count}/{dataset.Images.Count} [00:00<00:00, 17.20it/s]\n");
        }

        foreach (string image in dataset.Unreadable)
        {
            log.At(0.22, $"Error processing image: input_images/{image}\n");
        }

        Noise(training, log);
        Loop(training, log);
        if (training is { Status: RunStatus.Failed, Error: { } error })
        {
            log.Append("\n" + Traceback(error));
        }

        log.At(LoopEnds, $"\nSaved to output/flux_train_replicate/flux_train_replicate.safetensors\n");
        log.At(0.99, "output/flux_train_replicate/\noutput/flux_train_replicate/lora.safetensors\noutput/flux_train_replicate/config.yaml\noutput/flux_train_replicate/captions/\n");
        return log.ToString();
    }

    /// <summary>Captions by file name: those that came with the images, and those that the trainer makes.</summary>
    public static IReadOnlyDictionary<string, string> Captions(Training training, Dataset dataset)
    {
        var captions = new SortedDictionary<string, string>(StringComparer.Ordinal);
        foreach (var (name, text) in dataset.Captions)
        {
            captions[name] = text;
        }

        if (Text(training, "autocaption") is not ("False" or "false"))
        {
            string trigger = Text(training, "trigger_word") ?? "TOK";
            foreach (string image in dataset.Images)
            {
                captions.TryAdd(
                    Path.ChangeExtension(image, ".txt"),
                    $"{Text(training, "autocaption_prefix")}a photo of {trigger}, seen by a sandbox that does not look{Text(training, "autocaption_suffix")}");
            }
        }

        return captions;
    }

    public static int Steps(Training training) => (int)InputValidation.Number(training.Trainer.Inputs, training.Input, training.Trainer.StepsInput);

    public static int Rank(Training training) =>
        training.Trainer.Inputs.Any(input => input.Name == "lora_rank") ? (int)InputValidation.Number(training.Trainer.Inputs, training.Input, "lora_rank") : 16;

    public static string Config(Training training) => new JsonObject
    {
        ["type"] = "custom_sd_trainer",
        ["training_folder"] = "output",
        ["device"] = "cuda:0",
        ["trigger_word"] = Text(training, "trigger_word") ?? "TOK",
        ["network"] = new JsonObject { ["type"] = "lora", ["linear"] = Rank(training), ["linear_alpha"] = Rank(training) },
        ["save"] = new JsonObject { ["dtype"] = "float16", ["save_every"] = Steps(training) + 1, ["max_step_saves_to_keep"] = 1 },
        ["datasets"] = new JsonArray(new JsonObject
        {
            ["folder_path"] = "input_images",
            ["caption_ext"] = "txt",
            ["caption_dropout_rate"] = 0.05,
            ["shuffle_tokens"] = false,
            ["cache_latents"] = true,
            ["resolution"] = new JsonArray([.. Resolutions(training).Select(size => JsonNode.Parse(int.TryParse(size, out int number) ? number.ToString(CultureInfo.InvariantCulture) : "512"))]),
        }),
        ["train"] = new JsonObject
        {
            ["batch_size"] = 1,
            ["steps"] = Steps(training),
            ["gradient_accumulation_steps"] = 1,
            ["train_unet"] = true,
            ["train_text_encoder"] = false,
            ["content_or_style"] = "balanced",
            ["gradient_checkpointing"] = true,
            ["noise_scheduler"] = "flowmatch",
            ["optimizer"] = Text(training, "optimizer") ?? "adamw8bit",
            ["lr"] = Rate(training),
            ["ema_config"] = new JsonObject { ["use_ema"] = true, ["ema_decay"] = 0.99 },
            ["dtype"] = "bf16",
        },
        ["model"] = new JsonObject { ["name_or_path"] = "FLUX.1-dev", ["is_flux"] = true, ["quantize"] = true },
    }.ToJsonString(new System.Text.Json.JsonSerializerOptions { WriteIndented = true, Encoder = Wire.Json.Encoder });

    private static double Rate(Training training) =>
        training.Trainer.Inputs.Any(input => input.Name == "learning_rate") ? InputValidation.Number(training.Trainer.Inputs, training.Input, "learning_rate") : 0.0004;

    private static string[] Resolutions(Training training) => (Text(training, "resolution") ?? "512,768,1024").Split(',', StringSplitOptions.TrimEntries);

    private static string? Text(Training training, string name) =>
        training.Input.TryGetProperty(name, out var value) && value.ValueKind != System.Text.Json.JsonValueKind.Null ? value.ToString() : null;

    private static void Loop(Training training, Writer log)
    {
        if (log.Reached < LoopBegins)
        {
            return;
        }

        int steps = Steps(training);
        string rate = Scientific(Rate(training), 1);
        double done = Math.Min(1, (log.Reached - LoopBegins) / (LoopEnds - LoopBegins));
        double loopSeconds = training.Seconds * (LoopEnds - LoopBegins);
        log.At(LoopBegins, $"\rflux_train_replicate:   0%|          | 0/{steps} [00:00<?, ?it/s]");
        int redraws = Math.Min(steps, 200);
        for (int redraw = 1; redraw <= redraws; redraw++)
        {
            int step = (int)((long)steps * redraw / redraws);
            double part = (double)step / steps;
            if (part > done)
            {
                break;
            }

            double elapsed = part * loopSeconds;
            double perSecond = steps / loopSeconds;
            string speed = perSecond >= 1 ? Invariant($"{perSecond,5:0.00}it/s") : Invariant($"{1 / perSecond,5:0.00}s/it");
            double loss = 0.25 + (0.2 * Math.Abs(Math.Sin((step * 12.9898) + training.Number)));
            log.Append($"\rflux_train_replicate: {(int)(part * 100),3}%|{Bar(part)}| {step}/{steps} [{Minutes(elapsed)}<{Minutes(loopSeconds - elapsed)}, {speed}, lr: {rate} loss: {Scientific(loss, 3)}]");
        }
    }

    private static void Noise(Training training, Writer log)
    {
        if (training.Quirks.Logs == LogNoise.Ansi)
        {
            log.At(0.23, "\u001b[1;33mWARNING\u001b[0m \u001b[2K\u001b[1Gcursor was here\a\b\u0000\v\f \u001b]0;title\a done\u007f \u2028 \ufeff\n");
            log.At(0.23, "\rflux_train_replicate_cache:  99%|█████████▉| 99/100 [00:09<00:00,  9.9it/s]\n 57%|█████▋    | 4/7 [00:00<00:00, 12.3it/s]\n");
        }

        if (training.Quirks.Logs == LogNoise.Long)
        {
            string warning = "UserWarning: " + string.Concat(Enumerable.Repeat("the quick brown fox ", 50)) + "\n";
            log.At(0.23, string.Concat(Enumerable.Repeat(warning, 1900)));
            log.At(0.23, new string('=', 120_000) + "\n");
        }
    }

    private static string Traceback(string error) =>
        "Traceback (most recent call last):\n  File \"/usr/local/lib/python3.10/site-packages/cog/server/worker.py\", line 352, in _predict\n    result = predict(**payload)\n"
        + "  File \"/src/train.py\", line 278, in train\nValueError: " + error + "\n";

    private static string Bar(double part)
    {
        const int Width = 10;
        int eighths = (int)(part * Width * 8);
        string bar = new('█', eighths / 8);
        if (eighths % 8 > 0)
        {
            bar += "▏▎▍▌▋▊▉"[(eighths % 8) - 1];
        }

        return bar.PadRight(Width);
    }

    private static string Minutes(double seconds)
    {
        int whole = (int)seconds;
        return whole >= 3600 ? Invariant($"{whole / 3600}:{whole / 60 % 60:00}:{whole % 60:00}") : Invariant($"{whole / 60:00}:{whole % 60:00}");
    }

    private static string Scientific(double value, int digits) => value.ToString((digits == 1 ? "0.0" : "0.000") + "e+00", CultureInfo.InvariantCulture);

    private static string Invariant(FormattableString text) => FormattableString.Invariant(text);

    private sealed class Writer(Training training, double reached)
    {
        private readonly StringBuilder _text = new();

        public double Reached => reached;

        public string Clock(double at) => (training.StartedAt!.Value + TimeSpan.FromSeconds(at * training.Seconds)).UtcDateTime.ToString("yyyy-MM-dd'T'HH:mm:ss'Z'", CultureInfo.InvariantCulture);

        public void At(double at, string text)
        {
            if (at <= reached)
            {
                _text.Append(text);
            }
        }

        public void Append(string text) => _text.Append(text);

        public override string ToString() => _text.ToString();
    }
}
